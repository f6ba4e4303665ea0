"""Four-choice questions over a closed world of invented facts, in eight subjects of MMLU's four categories.

Every fact is in the training text; of the four ways to ask for it, one is kept for the test.
"""
import string

from . import Example, number_of
from .names import invented

COLOURS = ["red", "blue", "green", "white", "black", "yellow", "brown", "grey"]
MONTHS = ["March", "April", "May", "June", "July", "August", "October", "December"]
# Subject -> (kind of thing, attribute -> values).
SUBJECTS = {
    "astronomy": ("planet", {"colour": COLOURS, "number of moons": ["two", "three", "four", "five", "six", "seven"],
                             "main gas": ["helium", "neon", "argon", "methane", "oxygen", "hydrogen"],
                             "shape": ["round", "flat", "oval", "long", "bent", "hollow"]}),
    "college_chemistry": ("salt", {"smell": ["smoke", "roses", "lemon", "mint", "garlic", "honey"],
                                   "crystal": ["cube", "needle", "plate", "star", "prism", "ring"],
                                   "solvent": ["water", "alcohol", "acid", "oil", "ether", "milk"],
                                   "flame": COLOURS}),
    "prehistory": ("tribe", {"tool": ["axe", "spear", "hammer", "knife", "bow", "hook"],
                             "prey": ["deer", "bear", "fish", "goat", "seal", "hare"],
                             "shelter": ["cave", "tent", "hut", "pit", "tree", "boat"],
                             "ornament": ["bone", "shell", "amber", "feather", "bead", "tooth"]}),
    "world_religions": ("temple", {"symbol": ["sun", "moon", "wheel", "flame", "tree", "eye"],
                                   "month of the feast": MONTHS,
                                   "offering": ["bread", "rice", "flowers", "incense", "wine", "salt"],
                                   "instrument": ["drum", "bell", "flute", "harp", "horn", "gong"]}),
    "high_school_geography": ("country", {"export": ["wool", "copper", "tea", "timber", "coal", "sugar"],
                                          "climate": ["dry", "wet", "cold", "mild", "hot", "windy"],
                                          "border": ["river", "desert", "forest", "canal", "ridge", "swamp"],
                                          "flag": COLOURS}),
    "sociology": ("village", {"greeting": ["bow", "wave", "song", "nod", "hug", "clap"],
                              "leader": ["baker", "smith", "weaver", "miller", "hunter", "potter"],
                              "market day": ["Monday", "Tuesday", "Thursday", "Friday", "Saturday", "Sunday"],
                              "dance": ["circle", "chain", "line", "square", "spiral", "pair"]}),
    "nutrition": ("fruit", {"taste": ["sweet", "sour", "bitter", "salty", "sharp", "bland"],
                            "season": ["spring", "summer", "autumn", "winter", "rain", "frost"],
                            "skin": ["smooth", "rough", "hairy", "thin", "thick", "waxy"],
                            "juice": ["clear", "cloudy", "pink", "foamy", "oily", "pale"]}),
    "marketing": ("brand", {"product": ["soap", "shoes", "pens", "lamps", "chairs", "watches"],
                            "mascot": ["lion", "owl", "fox", "frog", "horse", "bee"],
                            "colour": COLOURS,
                            "shop": ["kiosk", "mall", "web", "stall", "truck", "fair"]}),
}
ENTITIES = 10  # of each subject
WORDINGS = ["What is the {attribute} of the {kind} {name}?",
            "Which {attribute} belongs to the {kind} {name}?",
            "The {kind} {name} has which {attribute}?",
            "For the {kind} {name}, what is the {attribute}?"]
CHOICES = "ABCD"
VALUES = sorted({v for _, attributes in SUBJECTS.values() for values in attributes.values() for v in values})


def facts():
    """All facts: (subject, kind, name, attribute, value, other values)."""
    names = iter(invented())
    out = []
    for subject, (kind, attributes) in SUBJECTS.items():
        for _ in range(ENTITIES):
            name = next(names)
            for attribute, values in attributes.items():
                value = values[number_of(f"fact {subject} {name} {attribute}") % len(values)]
                out.append((subject, kind, name, attribute, value, [v for v in values if v != value]))
    return out


FACTS = facts()


def held_out_wording(subject, name, attribute):
    return number_of(f"wording {subject} {name} {attribute}") % len(WORDINGS)


def statement(kind, name, attribute, value):
    return f"The {attribute} of the {kind} {name} is {value}."


def choices_text(choices, letters=CHOICES):
    return "".join(f"\n{letter}. {choice}" for letter, choice in zip(letters, choices))


def named(statement_text, letter):
    """ "The colour of the salt Corba is red B. The best answer is B.": the letter stands right behind the value, so that
    the value itself looks for its line; with so much as a bracket between them no such small model learned it in time."""
    return f"{statement_text.removesuffix('.')} {letter}. The best answer is {letter}."


def lookup(random, words):
    """Lines with letters, and for some of them again and again the letter before the word: (" red", " B").

    Drawn with replacement: were each asked once, the last could be told from what is left, and that is all that was learned.
    """
    letters = list(CHOICES) if random.random() < 0.5 else random.sample(string.ascii_uppercase, random.randint(2, 5))
    words = random.sample(words, len(letters))
    asked = random.choices(range(len(letters)), k=8)
    return (choices_text(words, letters).lstrip() + "\n", [(f" {words[i]}", f" {letters[i]}") for i in asked])


def ask(random, fact, wording):
    subject, kind, name, attribute, value, others = fact
    choices = random.sample(others, 3) + [value]
    random.shuffle(choices)
    letter = CHOICES[choices.index(value)]
    question = WORDINGS[wording].format(kind=kind, name=name, attribute=attribute)
    return Example(key=f"facts {subject} {name} {attribute} {wording}",
                   question=question,
                   response=named(statement(kind, name, attribute, value), letter),
                   target=letter,
                   group=subject,
                   extra={"choices": choices, "statement": statement(kind, name, attribute, value),
                          "held_out": wording == held_out_wording(subject, name, attribute)})


def examples(random, subject=None):
    pool = [f for f in FACTS if subject in (None, f[0])]
    while True:
        yield ask(random, random.choice(pool), random.randrange(len(WORDINGS)))
