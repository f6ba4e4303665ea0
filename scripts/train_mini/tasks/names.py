"""Invented names, so that nobody knows a fact of the small world from elsewhere."""
import random

STARTS = ["Bra", "Cor", "Dun", "Fel", "Gar", "Hol", "Jas", "Kel", "Lom", "Mar", "Nev", "Oro", "Pel", "Quin", "Ras",
          "Sol", "Tor", "Ulm", "Var", "Wen", "Yar", "Zor"]
ENDS = ["ba", "dia", "fen", "gon", "hil", "ka", "lis", "mar", "nor", "pex", "ris", "sum", "tane", "vik", "zen"]


def invented():
    """All names in a fixed mixed order."""
    names = [start + end for start in STARTS for end in ENDS]
    random.Random(7).shuffle(names)
    return names
