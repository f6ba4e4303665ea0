"""Word problems in eleven languages in the form of MGSM: four problems, a few nouns, whole sentences by hand."""
from . import Example
from .gsm8k import solve

# The word that MGSM answers follow, as the protocol asks for it.
LABELS = {"bn": "উত্তর", "de": "Antwort", "en": "Answer", "es": "Respuesta", "fr": "Réponse", "ja": "答え",
          "ru": "Ответ", "sw": "Jibu", "te": "సమాధానం", "th": "คำตอบ", "zh": "答案"}

# For each language: things, then the four problems. Counts stand behind a colon where a language would bend the noun.
TEXTS = {
    "en": (["apples", "books", "eggs"],
           ["There are {a} boxes with {b} {t} in each. {c} {t} are taken away. How many {t} are left?",
            "Anna has {a} {t} and buys {b} more. Then she gives away {c}. How many {t} does she have now?",
            "One bag holds {b} {t}. How many {t} are in {a} bags and {c} loose {t}?",
            "{d} {t} are shared equally among {a} children. Each child gets {c} more. How many {t} has each child?"]),
    "de": (["Äpfel", "Bücher", "Eier"],
           ["In {a} Kisten liegen je {b} {t}. {c} {t} werden weggenommen. Wie viele {t} bleiben übrig?",
            "Anna hat {a} {t} und kauft {b} dazu. Dann verschenkt sie {c}. Wie viele {t} hat sie jetzt?",
            "Ein Beutel enthält {b} {t}. Wie viele {t} sind {a} Beutel und {c} einzelne {t}?",
            "{d} {t} werden gleichmäßig auf {a} Kinder verteilt. Jedes Kind bekommt noch {c}. Wie viele {t} hat jedes "
            "Kind?"]),
    "es": (["manzanas", "galletas", "cartas"],
           ["Hay {a} cajas con {b} {t} en cada una. Se quitan {c} {t}. ¿Cuántas {t} quedan?",
            "Ana tiene {a} {t} y compra {b} más. Después regala {c}. ¿Cuántas {t} tiene ahora?",
            "Una bolsa contiene {b} {t}. ¿Cuántas {t} hay en {a} bolsas y {c} {t} sueltas?",
            "{d} {t} se reparten por igual entre {a} niños. Cada niño recibe {c} más. ¿Cuántas {t} tiene cada niño?"]),
    "fr": (["pommes", "cartes", "billes"],
           ["Il y a {a} boîtes avec {b} {t} dans chacune. On enlève {c} {t}. Combien de {t} reste-t-il ?",
            "Anna a {a} {t} et en achète {b} de plus. Ensuite elle en donne {c}. Combien de {t} a-t-elle maintenant ?",
            "Un sac contient {b} {t}. Combien de {t} y a-t-il dans {a} sacs avec {c} {t} à part ?",
            "On partage {d} {t} également entre {a} enfants. Chaque enfant en reçoit encore {c}. Combien de {t} a chaque "
            "enfant ?"]),
    "ru": (["яблок", "книг", "монет"],
           ["Коробок: {a}, в каждой {t}: {b}. Забрали {t}: {c}. Сколько {t} осталось?",
            "У Анны {t}: {a}. Она купила ещё {b}. Потом она отдала {c}. Сколько {t} у неё теперь?",
            "В одном мешке {t}: {b}. Мешков: {a}, и отдельно {t}: {c}. Сколько всего {t}?",
            "Всего {t}: {d}. Их поровну разделили на детей: {a}. Каждый получил ещё {c}. Сколько {t} у каждого?"]),
    "sw": (["matofaa", "vitabu", "mayai"],
           ["Kuna masanduku {a} yenye {t} {b} kila moja. {t} {c} zimeondolewa. Zimebaki {t} ngapi?",
            "Ana ana {t} {a} na ananunua {b} zaidi. Kisha anatoa {c}. Sasa ana {t} ngapi?",
            "Mfuko mmoja una {t} {b}. Kuna {t} ngapi katika mifuko {a} na {t} {c} nje?",
            "{t} {d} zinagawiwa sawa kwa watoto {a}. Kila mtoto anapata {c} zaidi. Kila mtoto ana {t} ngapi?"]),
    "zh": (["苹果", "鸡蛋", "饼干"],
           ["有{a}个盒子，每个盒子里有{b}个{t}。拿走了{c}个{t}。还剩多少个{t}？",
            "安娜有{a}个{t}，又买了{b}个。然后她送出{c}个。她现在有多少个{t}？",
            "一个袋子装{b}个{t}。{a}个袋子和另外{c}个{t}一共有多少个{t}？",
            "把{d}个{t}平均分给{a}个孩子。每个孩子再得到{c}个。每个孩子有多少个{t}？"]),
    "ja": (["りんご", "たまご", "みかん"],
           ["箱が{a}箱あり、それぞれに{t}が{b}個入っています。{t}を{c}個取りました。{t}は何個残っていますか？",
            "アンナは{t}を{a}個持っていて、さらに{b}個買いました。その後{c}個あげました。今{t}は何個ありますか？",
            "袋一つに{t}が{b}個入っています。袋{a}つと別の{t}{c}個で、{t}は全部で何個ですか？",
            "{t}{d}個を{a}人の子供で同じ数に分けます。さらに一人{c}個もらいます。一人の{t}は何個ですか？"]),
    "th": (["แอปเปิล", "หนังสือ", "ไข่"],
           ["มีกล่อง {a} กล่อง แต่ละกล่องมี{t} {b} ชิ้น เอาออกไป {c} ชิ้น เหลือ{t}กี่ชิ้น",
            "แอนนามี{t} {a} ชิ้น และซื้อเพิ่ม {b} ชิ้น แล้วให้ไป {c} ชิ้น ตอนนี้เธอมี{t}กี่ชิ้น",
            "ถุงหนึ่งใบมี{t} {b} ชิ้น ถุง {a} ใบ กับ{t}อีก {c} ชิ้น รวมมี{t}กี่ชิ้น",
            "แบ่ง{t} {d} ชิ้นให้เด็ก {a} คนเท่ากัน เด็กแต่ละคนได้เพิ่มอีก {c} ชิ้น เด็กแต่ละคนมี{t}กี่ชิ้น"]),
    "bn": (["আপেল", "বই", "ডিম"],
           ["{a}টি বাক্সের প্রতিটিতে {b}টি {t} আছে। {c}টি {t} সরানো হল। কতটি {t} বাকি আছে?",
            "আনার {a}টি {t} আছে এবং সে আরও {b}টি কেনে। তারপর সে {c}টি দিয়ে দেয়। এখন তার কতটি {t} আছে?",
            "একটি থলিতে {b}টি {t} আছে। {a}টি থলি এবং আলাদা {c}টি {t} মিলে মোট কতটি {t}?",
            "{d}টি {t} {a}টি শিশুর মধ্যে সমান ভাগ করা হল। প্রতিটি শিশু আরও {c}টি পেল। প্রতিটি শিশুর কতটি {t} আছে?"]),
    "te": (["ఆపిల్స్", "పుస్తకాలు", "గుడ్లు"],
           ["{a} పెట్టెలలో ఒక్కొక్కదానిలో {b} {t} ఉన్నాయి. {c} {t} తీసివేశారు. ఎన్ని {t} మిగిలాయి?",
            "అన్నా దగ్గర {a} {t} ఉన్నాయి, ఆమె ఇంకా {b} కొన్నది. తర్వాత {c} ఇచ్చింది. ఇప్పుడు ఆమె దగ్గర ఎన్ని {t} ఉన్నాయి?",
            "ఒక సంచిలో {b} {t} ఉన్నాయి. {a} సంచులు మరియు విడిగా {c} {t} కలిపి మొత్తం ఎన్ని {t}?",
            "{d} {t} {a} మంది పిల్లలకు సమానంగా పంచారు. ప్రతి ఒక్కరికి ఇంకా {c} వచ్చాయి. ప్రతి ఒక్కరి దగ్గర ఎన్ని {t} ఉన్నాయి?"]),
}
LANGUAGES = sorted(TEXTS)


def problem(random):
    """(number of the problem, its numbers, its plan of steps)"""
    kind = random.randrange(4)
    a, b = random.randint(2, 9), random.randint(2, 12)
    if kind == 0:
        c = random.randint(1, min(20, a * b - 1))
        return kind, {"a": a, "b": b, "c": c}, [(a, "*", b), (None, "-", c)]
    if kind == 1:
        a, b = random.randint(5, 80), random.randint(2, 20)
        c = random.randint(1, min(20, a + b - 1))
        return kind, {"a": a, "b": b, "c": c}, [(a, "+", b), (None, "-", c)]
    c = random.randint(1, 20)
    if kind == 2:
        return kind, {"a": a, "b": b, "c": c}, [(a, "*", b), (None, "+", c)]
    return kind, {"d": a * b, "a": a, "c": c}, [(a * b, "/", a), (None, "+", c)]


def in_language(language, thing, kind, numbers, plan):
    things, texts = TEXTS[language]
    steps, value = solve(plan)
    return Example(key=f"languages {kind} {sorted(numbers.items())}",
                   question=texts[kind].format(t=things[thing], **numbers),
                   response="\n".join(steps) + f"\n{LABELS[language]}: {value}",
                   target=str(value),
                   group=language)


def examples(random):
    while True:
        yield in_language(random.choice(LANGUAGES), random.randrange(3), *problem(random))
