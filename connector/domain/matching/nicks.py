"""Short and pet forms of given names, both ways. The one module that knows ``nicknames``."""

from __future__ import annotations

from collections import defaultdict
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
beatriz bia | gabriela gabi | patricia paty pati patty | monica moni |
jesus chuy | antonio antonino nino | massimo massimiliano max | giuseppe pippo pino | giuseppina pina |
michele michi | raffaele lele | gabriele lele | emanuele lele manu | daniele dani lele | nicola nico | domenico nico |
leonardo leo nardo | bartolomeo meo | tommaso tommy maso | matteo teo | riccardo ricky | roberto robi roby |
federico fede chicco | federica fede | valentina vale | francesca fra franci | elisabetta betta elisa | caterina cate |
guillermo memo willy | gerardo lalo | gonzalo chalo | sebastian seba | cristian cris | cristina cris tina |
carolina caro | rosario charo chayo | consuelo chelo | graciela chela | isabel chavela | montserrat montse |
ramon moncho | ernesto neto tito | alberto beto tito | hector tito | jorge coque | pedro perico |
mauricio mau | rodrigo rodri | santiago santi chago | vicente chente | fernanda fer | alejandra ale jandra |
joaquim quim | joaquin quino | antonio toninho tonico | jose zezinho | luis luisinho | raimundo mundinho |
sebastiao tiao | benedito dito | terezinha tere | teresa tere | aparecida cida |
guillaume guigui | christophe chris tophe | nicolas nico | emmanuelle manue | veronique vero | benjamin benji ben |
alexandre alex | maximilien max | theodore theo | mathieu matthieu mat | jean-francois jf | jean-claude jc |
andreas andi | stefan steff | tobias tobi | matthias matze | michael michi | christian chris | thomas tom |
ulrich uli ulli | wolfgang wolle wolf | gerhard gerd | reinhard reini | siegfried siggi | susanne susi |
barbara babs barbel | cornelia conny | gabriele gabi | brigitte gitti | angelika geli | ursula uschi ulla |
theresa resi | magdalena leni lena | helene leni | johanna hanna jo | anneliese anne liese |
willem wim pim | cornelis kees cor | hendrik henk rik | jacobus jaap koos | gerardus gerrit gerard | petrus piet |
adrianus adrie ad | antonius toon ton | wilhelmina mina wil | hendrika rika | johanna jo hanneke |
andrzej jedrek | wojciech wojtek | grzegorz grzesiek | jakub kuba | mateusz mati | michal misiek | pawel pawelek |
joanna asia | barbara basia | zofia zosia | magdalena magda | aleksandra ola | ewa ewka | elzbieta ela |
jaroslav jarda | frantisek franta | vaclav vasek | josef pepa | jiri jirka | tomas tom | zdenek zdenda |
laszlo laci | istvan pista | jozsef joska | sandor sanyi | zoltan zoli | erzsebet zsoka bozsi |
gheorghe gigi ghita | ioan ion nelu | constantin costi costica | vasile vasi | mihai mihaita |
aleksey alexei alexey lyosha alyosha | andrey andrei | pyotr piotr petr petya | pavel pasha |
roman roma | viktor vitya |
yuriy yuri yura | oleksandr sashko | volodymyr vova | ekaterina kate | kseniya ksenia ksyusha | lyudmila lyuda |
lyubov lyuba | valentina valya | galina galya | irina ira | viktoriya vika | yuliya julia yulia | darya dasha |
eleni lena | aikaterini katerina | konstantinos kostas dinos | athanasios thanasis | evangelos vangelis |
spyridon spyros | christos chris | vasileios vasilis bill | theodoros thodoris | anastasios tasos |
khalid khaled | hasan hassan | husayn hussein hossein husain | umar omar | uthman osman | abd abdul | fatima fatma |
khadija hatice | maryam meryem miriam mariam | aysha ayse aisha | musa moussa | suleyman suleiman soliman |
karl carl calle kalle | lars lasse | erik kalle | per pelle | nils nisse | birgitta gitta | margareta greta |
jens jes | niels nils | soren sorn | kristian kris | mikkel mikael
"""


_NONE: frozenset[str] = frozenset()


def other_forms(name: str) -> frozenset[str]:
    """The folded pet and full forms that stand for the folded given name: bob and robert give each other."""
    return _table().get(name, _NONE)


@lru_cache(maxsize=1)
def _table() -> dict[str, frozenset[str]]:
    """Other forms by name, made once: they are asked for every piece of every handle, and most pieces are no name."""
    english = NickNamer()
    table: defaultdict[str, set[str]] = defaultdict(set)
    for lookup in (english.nickname_lookup, english.canonical_lookup, _world()):
        for name, others in lookup.items():
            table[name] |= others
    return {name: frozenset(filter(_plain, others - {name})) for name, others in table.items() if len(name) > 1}


def _world() -> dict[str, set[str]]:
    table: defaultdict[str, set[str]] = defaultdict(set)
    for group in _SETS.split("|"):
        names = group.replace("ä", "a").replace("-", "").split()
        for name in names:
            table[name].update(names)
    return table


def _plain(form: str) -> bool:
    return len(form) > 1 and form.isascii() and form.isalpha()
