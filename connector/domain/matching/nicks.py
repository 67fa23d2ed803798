"""Short and pet forms of given names, both ways. The one module that knows ``nicknames``."""

from __future__ import annotations

from functools import lru_cache

from nicknames import NickNamer

# English comes from the library; these are the common sets of other languages it does not know.
_SETS = """
jose pepe zepe zeca | francisco paco pancho kiko chico curro | jesus chucho | ignacio nacho |
enrique quique kike | rafael rafa | guadalupe lupe | dolores lola | concepcion concha conchita | mercedes merche |
manuel manolo manu | eduardo edu lalo | alejandro alex jandro | giuseppe beppe peppe pino |
giovanni gianni nanni vanni | francesco franco checco cecco | luigi gigi | lorenzo renzo enzo | vincenzo enzo |
salvatore turi toto | antonio toni tonino nino tonho | domenico mimmo | giacomo mino | alessandro sandro ale |
alessandra sandra ale | johannes hans jan hannes johann | josef sepp jupp | wilhelm willi willy helmut |
friedrich fritz | heinrich heinz heini | ludwig lutz | katharina kathi kati käthe |
margarethe gretel grete greta | elisabeth lisa lisbeth elli sissi | sebastian basti | maximilian max |
aleksandr alexander aleksander sasha sascha sanya shura alex | aleksandra alexandra sasha shura alex |
dmitriy dmitri dmitry dima mitya | vladimir vova volodya vlad | mikhail misha | ivan vanya |
nikolay nikolai kolya | sergey sergei serhiy seryozha | yevgeny evgeny evgeniy zhenya |
yekaterina ekaterina katerina katya | tatyana tatiana tanya | natalya natalia natasha |
anastasia anastasiya nastya | mariya maria masha | yelena elena lena | olga olya | anna anya | svetlana sveta |
konstantin kostya kostas | georgios giorgos yorgos george | ioannis yiannis giannis john | dimitrios dimitris |
panagiotis panos takis | nikolaos nikos | jean-pierre jp | jacques jacky | stephane steph | dominique dom |
frederic fred | jan janek | stanislaw staszek stas | katarzyna kasia | malgorzata gosia | agnieszka aga |
tomasz tomek | krzysztof krzysiek | piotr piotrek | muhammad mohammad mohammed mohamed muhammed md mo |
yusuf joseph youssef yousef | ibrahim abraham | abdullah abdallah | ahmed ahmad | joao joca |
luiz luis lula lulu | carlos carlinhos cacau | roberto beto | gilberto beto gil | humberto beto |
fernando nando fer | leonardo leo | mehmet memo | mustafa musti | emmanuel manu | isabel isa chabela |
beatriz bia | gabriela gabi | patricia paty pati patty | monica moni
"""


@lru_cache(maxsize=1)
def _world() -> dict[str, frozenset[str]]:
    table: dict[str, set[str]] = {}
    for group in _SETS.split("|"):
        names = group.replace("ä", "a").replace("-", "").split()
        for name in names:
            table.setdefault(name, set()).update(names)
    return {name: frozenset(others - {name}) for name, others in table.items()}


@lru_cache(maxsize=1)
def _english() -> NickNamer:
    return NickNamer()


@lru_cache(maxsize=131072)
def other_forms(name: str) -> frozenset[str]:
    """The folded pet and full forms that stand for the folded given name: bob and robert give each other."""
    if len(name) < 2:
        return frozenset()
    namer = _english()
    found = set(namer.nicknames_of(name)) | set(namer.canonicals_of(name)) | _world().get(name, frozenset())
    return frozenset(form for form in found if form.isalpha() and form.isascii() and len(form) > 1 and form != name)
