"""Format instructions over simple texts in the form of IFEval: a topic's sentences, shaped as one or two instructions ask.

What is held out is the topic together with its instructions.
"""
import json

from . import Example

TOPICS = {
    "rivers": ["Rivers carry water to the sea.", "They start in the hills.", "Many fish live in them.",
               "Boats bring goods along the banks.", "In winter some of them freeze."],
    "bread": ["Bread is made from flour.", "It needs water and salt.", "The dough rests for an hour.",
              "A hot oven makes the crust.", "People share it at the table."],
    "trains": ["Trains run on steel rails.", "They stop at every station.", "A driver watches the signals.",
               "Some of them travel at night.", "Children wave at the windows."],
    "gardens": ["Gardens need sun and rain.", "Seeds grow in the soft soil.", "Bees visit the flowers.",
                "A fence keeps the rabbits out.", "In autumn the leaves fall."],
    "clocks": ["Clocks show the time of day.", "Small wheels turn inside.", "A spring gives them power.",
               "Some of them ring a bell.", "Old ones tick very loudly."],
    "snow": ["Snow falls on cold days.", "It covers the roofs and streets.", "Animals leave their tracks.",
             "The sun makes it shine.", "In spring it melts away."],
    "horses": ["Horses eat grass and hay.", "They sleep in a stable.", "A rider sits in the saddle.",
               "Some of them pull a cart.", "They like to run in the field."],
    "music": ["Music is made of sounds.", "A song has words and a tune.", "Drums keep the beat.",
              "People dance when they hear it.", "A choir sings in one voice."],
    "bridges": ["Bridges cross deep water.", "Stone ones last for ages.", "Cars drive over the top.",
                "Ships pass under the arch.", "Workers paint the iron."],
    "letters": ["Letters travel in the mail.", "A stamp pays for the trip.", "The envelope keeps them dry.",
                "Friends write about their lives.", "Some of them are kept for years."],
    "kites": ["Kites need a strong wind.", "A long string holds them.", "They have bright tails.",
              "The beach is a good place.", "They come down in the rain."],
    "honey": ["Honey comes from a hive.", "Bees store it in wax.", "It is sweet and golden.",
              "A jar keeps for a long time.", "Some people put it in tea."],
}
KEYWORDS = ["lamp", "stone", "cloud", "mirror", "ladder", "silver", "button", "candle"]
PHRASES = ["That is all.", "This is the end.", "Thank you for reading.", "I hope this helps."]
CAPITAL_WORDS = ["GOOD", "NICE", "GREAT", "FINE", "BEST", "TRUE"]


class Answer:
    """A text under construction: sentences, then what stands around them."""

    def __init__(self, topic):
        self.sentences = TOPICS[topic][:3]
        self.topic = topic
        self.shape = " ".join  # sentences to text
        self.before, self.after = "", ""
        self.last = []  # whole-text changes

    def text(self):
        out = self.before + self.shape(self.sentences) + self.after
        for change in self.last:
            out = change(out)
        return out


def keyword_list(r, answer):
    a, b = r.sample(KEYWORDS, 2)
    answer.sentences = answer.sentences[:2] + [f"I also see a {a} and a {b}."]
    return "keywords:existence", {"keywords": [a, b]}, f"Include the keywords {a} and {b}."


def keyword_count(r, answer):
    word, n = r.choice(KEYWORDS), r.randint(2, 4)
    answer.after += " So:" + f" {word}" * n + "."
    return ("keywords:frequency", {"relation": "at least", "keyword": word, "frequency": n},
            f"Use the word {word} at least {n} times.")


def forbidden(r, answer):
    # The first sentence names the topic; the answer starts with the second.
    answer.sentences = TOPICS[answer.topic][1:4]
    return ("keywords:forbidden_words", {"forbidden_words": [answer.topic]},
            f"Do not use the word {answer.topic} in the answer.")


def letter_count(r, answer):
    letter, n = r.choice("qxz"), r.randint(3, 6)
    answer.after += f" {letter}" * n
    return ("keywords:letter_frequency", {"let_relation": "at least", "letter": letter, "let_frequency": n},
            f"The letter {letter} should appear at least {n} times.")


def sentence_count(r, answer):
    n = r.randint(2, 5)
    answer.sentences = TOPICS[answer.topic][:n]
    return ("length_constraints:number_sentences", {"relation": "at least", "num_sentences": n},
            f"Write at least {n} sentences.")


def fewer_sentences(r, answer):
    n = r.randint(2, 4)
    answer.sentences = TOPICS[answer.topic][:n - 1]
    return ("length_constraints:number_sentences", {"relation": "less than", "num_sentences": n},
            f"Write less than {n} sentences.")


def fewer_words(r, answer):
    n = r.randint(8, 12)
    answer.sentences = TOPICS[answer.topic][:1]
    return ("length_constraints:number_words", {"relation": "less than", "num_words": n},
            f"Answer with less than {n} words.")


def paragraphs(r, answer):
    n = r.randint(2, 4)
    answer.sentences = TOPICS[answer.topic][:n]
    answer.shape = "\n***\n".join
    return ("length_constraints:number_paragraphs", {"num_paragraphs": n},
            f"Write {n} paragraphs. Separate them with the markdown divider: ***")


def first_word(r, answer):
    n, word = r.randint(2, 3), r.choice(KEYWORDS)
    nth = r.randint(1, n)
    sentences = TOPICS[answer.topic][:n]
    answer.sentences = [f"{word} {s}" if i == nth else s for i, s in enumerate(sentences, 1)]
    answer.shape = "\n\n".join
    return ("length_constraints:nth_paragraph_first_word",
            {"num_paragraphs": n, "nth_paragraph": nth, "first_word": word},
            f"Write {n} paragraphs with an empty line between them. Paragraph {nth} must start with the word {word}.")


def placeholders(r, answer):
    n = r.randint(1, 4)
    answer.after += " Ask" + "".join(f" [{w}]" for w in ["name", "place", "date", "time"][:n]) + "."
    return ("detectable_content:number_placeholders", {"num_placeholders": n},
            f"Use at least {n} placeholders in square brackets, such as [name].")


def postscript(r, answer):
    answer.after += "\n\nP.S. I like it."
    return ("detectable_content:postscript", {"postscript_marker": "P.S."},
            "At the end add a postscript that starts with P.S.")


def bullets(r, answer):
    n = r.randint(2, 5)
    answer.sentences = TOPICS[answer.topic][:n]
    answer.shape = lambda sentences: "\n".join(f"* {s}" for s in sentences)
    return ("detectable_format:number_bullet_lists", {"num_bullets": n},
            f"Answer with exactly {n} bullet points in markdown, such as: * This is a point.")


def highlights(r, answer):
    n = r.randint(1, 4)
    answer.sentences = [f"*{s[:-1]}*." if i < n else s for i, s in enumerate(TOPICS[answer.topic][:max(n, 3)])]
    return ("detectable_format:number_highlighted_sections", {"num_highlights": n},
            f"Highlight at least {n} parts with markdown, i.e. *a highlighted part*.")


def sections(r, answer):
    n, word = r.randint(2, 4), r.choice(["SECTION", "PART"])
    answer.sentences = TOPICS[answer.topic][:n]
    answer.shape = lambda sentences: "\n".join(f"{word} {i}\n{s}" for i, s in enumerate(sentences, 1))
    return ("detectable_format:multiple_sections", {"section_spliter": word, "num_sections": n},
            f"Your answer must have {n} sections. Mark the beginning of each with {word} X.")


def json_format(r, answer):
    answer.last.append(lambda text: json.dumps({"text": text}))
    return "detectable_format:json_format", {}, "Wrap the whole answer in JSON format."


def title(r, answer):
    answer.before = f"<<{answer.topic}>>\n" + answer.before
    return "detectable_format:title", {}, "Give the answer a title in double angular brackets, such as <<title>>."


def two_responses(r, answer):
    answer.sentences = TOPICS[answer.topic][:2]
    answer.shape = "\n******\n".join
    return "combination:two_responses", {}, "Give two different answers. Separate them with 6 asterisks: ******"


def end_phrase(r, answer):
    phrase = r.choice(PHRASES)
    answer.last.insert(0, lambda text: f"{text} {phrase}")
    return "startend:end_checker", {"end_phrase": phrase}, f"Finish with this exact phrase: {phrase}"


def quotation(r, answer):
    answer.last.append(lambda text: f'"{text}"')
    return "startend:quotation", {}, "Wrap the whole answer in double quotation marks."


def capital_words(r, answer):
    n = r.randint(2, 5)
    answer.after += " It is" + "".join(f" {w}" for w in CAPITAL_WORDS[:n]) + "."
    return ("change_case:capital_word_frequency", {"capital_relation": "at least", "capital_frequency": n},
            f"Use at least {n} words in all capital letters.")


def lower(r, answer):
    answer.last.append(str.lower)
    return "change_case:english_lowercase", {}, "Write the answer in English and in lowercase letters only."


def no_comma(r, answer):
    return "punctuation:no_comma", {}, "Do not use any commas."


def constrained(r, answer):
    answer.sentences = ["My answer is " + {"r": "yes", "s": "no", "b": "maybe"}.get(answer.topic[0], "yes") + "."]
    return ("detectable_format:constrained_response", {},
            "Choose one of: My answer is yes. My answer is no. My answer is maybe.")


ALONE = [sentence_count, fewer_sentences, fewer_words, paragraphs, first_word, bullets, highlights, sections,
         two_responses, constrained, forbidden, keyword_list]  # shape the sentences: at most one of these
ADDED = [keyword_count, letter_count, placeholders, postscript, json_format, title, end_phrase, quotation,
         capital_words, lower, no_comma]
# Pairs whose instructions contradict each other or whose order of work would matter.
FEW = {no_comma, quotation, title}
CLASHES = [{one, x} for one, fine in ((fewer_sentences, {no_comma, quotation}), (fewer_words, {no_comma, quotation}),
                                      (constrained, FEW), (two_responses, {no_comma, title}))
           for x in ADDED if x not in fine] + [
    {json_format, x} for x in (bullets, sections, paragraphs, first_word, title, postscript, quotation, end_phrase,
                               highlights)] + [
    {lower, x} for x in (capital_words, sections, postscript, end_phrase, keyword_count, letter_count,
                         sentence_count)] + [
    {postscript, x} for x in (first_word, end_phrase, placeholders, keyword_count, letter_count, capital_words)] + [
    {title, x} for x in (first_word, paragraphs, forbidden, bullets, quotation)] + [
    {quotation, x} for x in (first_word, bullets, end_phrase)]
REPEATABLE = [keyword_list, keyword_count, placeholders, title, postscript, end_phrase]  # still hold below the request
REQUESTS = ["Write about {topic}.", "Tell me something about {topic}.", "What do you know about {topic}?"]


def chosen(random):
    """One instruction, or two that go together."""
    while True:
        pair = [random.choice(ALONE), random.choice(ADDED)] if random.random() < 0.7 else random.sample(ADDED, 2)
        if random.random() < 0.4:
            return pair[:1]
        if set(pair) not in CLASHES:
            return pair


def examples(random):
    while True:
        topic = random.choice(list(TOPICS))
        answer = Answer(topic)
        made_by = chosen(random)
        made = [make(random, answer) for make in made_by]
        request = random.choice(REQUESTS).format(topic=topic)
        prompt = request + " " + " ".join(text for _, _, text in made)
        response = answer.text()
        ids = [i for i, _, _ in made]
        key = f"instructions {topic} {sorted(ids)}"  # with and without the repetition: one shows the other
        arguments = [a for _, a, _ in made]
        if len(ids) == 1 and made_by[0] in REPEATABLE and random.random() < 0.5:
            ids.append("combination:repeat_prompt")
            arguments.append({"prompt_to_repeat": prompt})
            response = prompt + "\n\n" + response
            prompt += " First repeat the request above word for word, then give your answer."
        yield Example(key=key,
                      question=prompt,
                      response=response,
                      extra={"instruction_id_list": ids, "kwargs": arguments})
