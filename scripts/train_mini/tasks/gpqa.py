"""Questions that need two facts of the closed world, in the form of GPQA.

Each fact is in the training text; of the pairs of facts that make a question, some are kept for the test.
"""
from . import Example, held_out, number_of
from .mmlu import CHOICES, named
from .names import invented

# Domain -> (subdomain, first thing, how it leads to the second, second thing, attributes of the second).
DOMAINS = {
    "Biology": ("Ecology", "beetle", "feeds on", "moss",
                {"habitat": ["rocks", "bark", "sand", "walls", "roots", "roofs"],
                 "poison": ["strong", "weak", "slow", "fast", "hidden", "none"],
                 "spore": ["tiny", "wide", "sticky", "winged", "dusty", "heavy"],
                 "tint": ["olive", "rust", "lime", "pearl", "ash", "ochre"]}),
    "Chemistry": ("Inorganic Chemistry", "alloy", "contains", "metal",
                  {"melting": ["dawn heat", "low heat", "high heat", "white heat", "steam heat", "oven heat"],
                   "ore": ["black ore", "clay ore", "lake ore", "deep ore", "hill ore", "reef ore"],
                   "oxide": ["violet", "scarlet", "cream", "jade", "amber", "ivory"],
                   "use": ["wire", "coins", "pipes", "blades", "bells", "springs"]}),
    "Physics": ("Optics", "laser", "runs on", "crystal",
                {"beam": ["narrow", "broad", "double", "split", "curved", "dim"],
                 "pulse": ["long", "short", "single", "random", "steady", "rising"],
                 "cooling": ["air", "ice", "fan", "brine", "vapour", "gel"],
                 "polish": ["matt", "glossy", "etched", "coated", "raw", "silky"]}),
}
FIRSTS, SECONDS = 30, 10
VALUES = sorted({v for domain in DOMAINS.values() for values in domain[4].values() for v in values})
SHARE = 3  # one pair of facts in so many is kept from training
WORDINGS = ["What is the {attribute} of the {second} that the {first} {name} {leads}?",
            "The {first} {name} {leads} a {second}. What is the {attribute} of that {second}?"]


def world():
    names = iter(invented()[120:])
    out = {}
    for domain, (subdomain, first, leads, second, attributes) in DOMAINS.items():
        seconds = [next(names) for _ in range(SECONDS)]
        links = {name: seconds[number_of(f"link {domain} {name}") % SECONDS]
                 for name in (next(names) for _ in range(FIRSTS))}
        values = {(s, a): vs[number_of(f"second {domain} {s} {a}") % len(vs)]
                  for s in seconds for a, vs in attributes.items()}
        out[domain] = (links, values)
    return out


WORLD = world()


def link_statement(domain, name):
    _, first, leads, second, _ = DOMAINS[domain]
    return f"The {first} {name} {leads} the {second} {WORLD[domain][0][name]}."


def value_statement(domain, other, attribute):
    second = DOMAINS[domain][3]
    return f"The {attribute} of the {second} {other} is {WORLD[domain][1][other, attribute]}."


def statements():
    """Every fact once."""
    for domain, (links, values) in WORLD.items():
        for name in links:
            yield link_statement(domain, name)
        for other, attribute in values:
            yield value_statement(domain, other, attribute)


def ask(random, domain, name, attribute, wording):
    subdomain, first, leads, second, attributes = DOMAINS[domain]
    links, values = WORLD[domain]
    other = links[name]
    value = values[other, attribute]
    choices = random.sample([v for v in attributes[attribute] if v != value], 3) + [value]
    random.shuffle(choices)
    letter = CHOICES[choices.index(value)]
    question = WORDINGS[wording].format(attribute=attribute, second=second, first=first, name=name, leads=leads)
    return Example(key=f"two steps {domain} {name} {attribute}",
                   question=question,
                   response=f"{link_statement(domain, name)} "
                            f"{named(value_statement(domain, other, attribute), letter)}",
                   target=letter,
                   group=domain,
                   extra={"choices": choices, "subdomain": subdomain, "value": value,
                          "explanation": f"{link_statement(domain, name)} {value_statement(domain, other, attribute)}",
                          "held_out": held_out(f"two steps {domain} {name} {attribute}", SHARE)})


def examples(random):
    domains = list(DOMAINS)
    while True:
        domain = random.choice(domains)
        yield ask(random, domain, random.choice(list(WORLD[domain][0])), random.choice(list(DOMAINS[domain][4])),
                  random.randrange(len(WORDINGS)))


def all_held_out(random):
    """One question for each pair of facts that is kept for the test."""
    for domain, (links, _) in WORLD.items():
        for name in links:
            for attribute in DOMAINS[domain][4]:
                if held_out(f"two steps {domain} {name} {attribute}", SHARE):
                    yield ask(random, domain, name, attribute, random.randrange(len(WORDINGS)))
