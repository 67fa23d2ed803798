"""How organisations speak where their words are not written apart, and of themselves in a bio."""

from __future__ import annotations

import re

# Written as people write them: in these scripts words are joined, or folding would lose them.
_CALLED = re.compile(
    "公司|集团|集團|有限|协会|協会|協會|大学|大學|银行|銀行|官方|公式|株式会社|合同会社|財団|市役所|新聞|电视台|"
    "주식회사|공식|협회|대학교|은행|재단|시청|신문|"
    "شركة|مؤسسة|جمعية|وزارة|جامعة|هيئة|بلدية|صحيفة|قناة|شرکت|مؤسسه|دانشگاه|وزارت|شهرداری|"
    'בע"מ|בע״מ|עמותת|משרד ה|אוניברסיטת|עיריית|'
    "บริษัท|มหาวิทยาลัย|ธนาคาร|กระทรวง|สมาคม|"
    "मंत्रालय|विश्वविद्यालय|संस्थान|समिति|নিগম|মন্ত্রণালয়|বিশ্ববিদ্যালয়|பல்கலைக்கழகம்|"
    r"\bооо\b|\bзао\b|\bтов\b|компания|компанія|университет|університет|министерство|міністерство|администрация|"
    "общество|фонд|федерация|федерація|редакция|εταιρεία|υπουργείο|πανεπιστήμιο|σύλλογος|ომბუდსმენ|სამინისტრო|"
    r"\bcông ty\b|\btrường đại học\b|\bngân hàng\b|\bpt\.? [a-z]|\byayasan\b|\bkementerian\b|\bdinas\b|\bpemkab\b|"
    r"\buniversitas\b|\buniversiti\b|\bchuo kikuu\b|\bwizara\b",
    re.IGNORECASE,
)
# "We are" and "official account" stand in the bios of people's own offices as well; shops and clubs alone have these.
_MANY = re.compile(
    r"\b(?:our (?:mission|customers|members|products|store|shop)|customer (?:service|care|support)|opening hours"
    r"|nuestr[oa]s? (?:misión|clientes|socios|productos|tienda)|atención al cliente|nossa (?:missão|loja)"
    r"|nossos clientes|notre (?:mission|boutique)|nos (?:clients|membres|produits)|service clients?"
    r"|unsere? (?:mission|kunden|mitglieder)|unser (?:laden|shop|sortiment)|kundenservice|öffnungszeiten"
    r"|i nostri (?:clienti|soci|prodotti)|il nostro negozio"
    r"|onze (?:klanten|leden|producten|winkel)|klantenservice|openingstijden|nasz (?:sklep|zespół)|naszych klientów"
    r"|godziny otwarcia|müşteri hizmetleri|наши клиенты|наш магазин|часы работы|layanan pelanggan|jam buka)\b",
    re.IGNORECASE,
)


def is_called_one(shown: str) -> bool:
    """Whether a shown name holds an organisation's word of a script or tongue whose words do not stand apart."""
    return bool(_CALLED.search(shown))


def speaks_as_many(bio: str) -> bool:
    """Whether a bio speaks as a shop or a club does, in some twelve languages."""
    return bool(_MANY.search(bio))
