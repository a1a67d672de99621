"""Column names that people use for the columns of a feed, in several languages; compared without case and accents."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from typing import Final

# fmt: off
_TIME: Final = (
    "ts", "timestamp", "created at", "created", "created utc", "created date utc", "date created", "order date",
    "sale date",
    "purchase date", "invoice date", "invoicedate", "transaction date", "payment date", "paid at", "completed at",
    "date time",
    "datetime", "date", "time", "when", "event time", "event timestamp", "started at", "received at", "occurred at",
    "day", "month", "year month",
    "bestelldatum", "rechnungsdatum", "kaufdatum", "buchungstag", "datum", "zeitpunkt", "zeit", "erstellt am", "tag",
    "date de commande", "date de creation", "date commande", "cree le", "jour",
    "fecha de pedido", "fecha pedido", "fecha de creacion", "fecha", "hora", "dia",
    "data ordine", "data creazione", "data", "giorno", "data do pedido", "data de criacao", "besteldatum",
    "orderdatum",
    "data zamowienia", "data utworzenia", "orderdato", "dato", "datum objednavky", "tilauspaiva",
)
COLUMNS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "orders": {
        "order_id": (
            "order id", "order number", "order no", "order", "orderid", "order name", "invoice no", "invoiceno",
            "invoice id",
            "invoice number", "invoice", "transaction id", "charge id", "payment id", "sale id", "receipt number",
            "receipt id",
            "reference", "balance transaction id", "transaction", "transacao", "transaccion", "transazione",
            "id", "name",
            "bestellnummer", "bestell nr", "auftragsnummer", "rechnungsnummer", "rechnungsnr", "belegnummer",
            "bestellung",
            "numero de commande", "no commande", "n commande", "commande", "numero de facture", "reference commande",
            "numero de pedido", "no pedido", "pedido", "numero de factura", "factura",
            "numero ordine", "ordine", "numero fattura", "numero do pedido", "ordernummer", "bestelnummer",
            "factuurnummer",
            "numer zamowienia", "ordrenummer",
        ),
        "ts": _TIME,
        "line_id": (
            "line id", "line item id", "line number", "order item id", "item line", "position", "zeile",
            "positionsnummer",
        ),
        "customer_id": (
            "customer id", "customerid", "customer", "customer number", "user id", "buyer id", "buyer user id",
            "client id",
            "member id", "account id", "kundennummer", "kunden nr", "kunde", "client", "numero client", "id client",
            "cliente", "id cliente", "klantnummer", "klant", "numer klienta", "kundenummer",
        ),
        "product_id": (
            "product id", "sku", "lineitem sku", "item sku", "stock code", "stockcode", "item id", "article number",
            "variant sku",
            "listing id", "asin", "artikelnummer", "artikel nr", "reference produit", "ref", "codigo producto",
            "codice articolo",
            "artikelnr", "codigo do produto",
        ),
        "product": (
            "product name", "product", "lineitem name", "item name", "item", "item title", "title", "description",
            "artikelname", "artikelbezeichnung", "artikel", "produkt", "bezeichnung", "produit", "article", "libelle",
            "producto", "articulo", "prodotto", "articolo", "produto", "productnaam", "vare",
        ),
        "category": (
            "category", "product category", "product type", "kategorie", "warengruppe", "categorie", "categoria",
        ),
        "quantity": (
            "quantity", "qty", "lineitem quantity", "units", "pieces", "item count", "menge", "anzahl", "stuckzahl",
            "stuck",
            "quantite", "qte", "cantidad", "quantita", "quantidade", "aantal", "ilosc", "antall", "antal",
        ),
        "unit_price": (
            "unit price", "unitprice", "lineitem price", "item price", "price per unit", "price", "item cost",
            "einzelpreis", "stuckpreis", "preis", "prix unitaire", "prix", "precio unitario", "precio",
            "prezzo unitario",
            "prezzo", "preco unitario", "preco", "stukprijs", "prijs", "cena",
        ),
        "amount": (
            "amount", "item total", "line total", "total amount", "order total", "total", "total price",
            "total price usd", "gross", "gross amount", "order amount",
            "order value", "sales", "sales amount", "revenue", "total sales", "price paid", "subtotal", "net sales",
            "turnover", "total bill",
            "betrag", "gesamtbetrag", "gesamt", "summe", "bruttobetrag", "brutto", "umsatz", "rechnungsbetrag",
            "montant", "montant total", "total ttc", "montant ttc", "chiffre d affaires",
            "importe", "importe total", "monto", "ventas", "importo", "totale", "valor", "valor total", "bedrag",
            "totaal",
            "kwota", "wartosc", "belob", "belop",
        ),
        "tax": (
            "tax", "tax amount", "taxes", "total tax", "vat", "vat amount", "sales tax", "mwst", "mwst betrag", "ust",
            "umsatzsteuer",
            "steuer", "steuerbetrag", "tva", "montant tva", "iva", "impuestos", "btw", "moms",
        ),
        "fee": (
            "fee", "fees", "processing fee", "transaction fee", "card processing fees", "gebuhr", "gebuhren",
            "provision",
            "frais", "commission", "comision", "commissione", "taxa", "kosten",
        ),
        "currency": (
            "currency", "currency code", "cur", "wahrung", "devise", "monnaie", "moneda", "divisa", "valuta",
            "moeda", "waluta",
        ),
        "type": ("type", "transaction type", "movement", "art", "typ", "tipo"),
        "status": (
            "status", "payment status", "financial status", "zahlungsstatus", "statut", "estado", "stato",
        ),
        "refund_of": (
            "refund of", "original order id", "original order", "parent order", "reference txn id", "source order",
        ),
        "origin": (
            "origin", "sales channel", "channel", "store", "marketplace", "shop", "vertriebskanal", "kanal",
            "canal",
        ),
        "country": (
            "country", "country code", "shipping country", "billing country", "ship country", "delivery country",
            "buyer country",
            "card issue country", "land", "lieferland", "landercode", "pays", "pais", "paese", "kraj",
        ),
    },
    "events": {
        "event_id": ("event id", "message id", "uuid", "hit id", "insert id"),
        "ts": _TIME,
        "event": (
            "event", "event name", "event type", "what", "name", "action", "ereignis", "evenement", "evento",
            "type",
        ),
        "visitor_id": (
            "visitor id", "anonymous id", "distinct id", "client id", "device id", "visitor", "session id",
            "user pseudo id",
            "besucher", "cookie id",
        ),
        "user_id": (
            "user id", "userid", "user", "who", "customer id", "member id", "nutzer", "utilisateur", "usuario",
        ),
        "url": ("url", "page url", "page location", "current url", "location", "href", "uri"),
        "path": ("path", "page path", "pathname", "page", "url path", "seite", "pagina"),
        "referrer": ("referrer", "referer", "page referrer", "http referer", "ref", "verweis"),
        "user_agent": ("user agent", "useragent", "ua", "http user agent"),
        "ip": ("ip", "ip address", "client ip", "remote addr", "remote ip"),
        "country": ("country", "country code", "geo country", "land", "pays", "pais"),
        "device": ("device", "device type", "device category"),
        "browser": ("browser", "browser name"),
        "os": ("os", "operating system", "platform"),
        "value": ("value", "event value", "revenue"),
    },
    "requests": {
        "request_id": ("request id", "trace id", "correlation id", "call id"),
        "ts": _TIME,
        "service": ("service", "service name", "app", "application"),
        "provider": ("provider", "vendor", "upstream"),
        "endpoint": ("endpoint", "route", "path", "url", "operation", "request path", "uri"),
        "method": ("method", "http method", "verb", "request method"),
        "status": ("status", "status code", "http status", "response code", "code"),
        "latency_ms": (
            "latency ms", "latency", "ms", "duration ms", "duration", "response time ms", "response time",
            "elapsed ms", "elapsed",
            "time ms", "took ms",
        ),
        "response_bytes": ("response bytes", "bytes", "size", "response size", "bytes sent"),
        "tokens_in": ("tokens in", "prompt tokens", "input tokens", "n context tokens total"),
        "tokens_out": ("tokens out", "completion tokens", "output tokens", "n generated tokens total"),
        "model": ("model", "model name", "snapshot id"),
        "cost": ("cost", "cost usd", "price", "kosten", "cout", "costo"),
        "currency": ("currency",),
    },
    "vitals": {
        "sample_id": ("sample id", "id"),
        "ts": _TIME,
        "metric": ("metric", "metric name", "name", "vital"),
        "value": ("value", "metric value", "delta"),
        "path": ("path", "page", "url"),
        "device": ("device", "device type"),
        "country": ("country",),
    },
    "platform_metrics": {
        "ts": _TIME,
        "metric": ("metric", "measure", "kennzahl", "indicator", "kpi", "name"),
        "value": ("value", "amount", "count", "wert", "valeur", "valor", "valore", "number"),
        "country": ("country", "country code", "territory", "land", "pays", "pais"),
        "device": ("device", "device category"),
        "product": ("product", "sku", "produkt"),
        "app": ("app", "app name", "site", "website", "property"),
        "channel": ("channel", "source", "default channel group", "kanal"),
        "page": ("page", "path", "top pages", "url"),
        "query": ("query", "top queries", "keyword", "search term"),
        "currency": ("currency",),
    },
}
PLATFORM_METRIC_ROWS: Final[Mapping[str, tuple[str, ...]]] = {
    "visitors": (
        "visitors", "unique visitors", "users", "total users", "besucher", "visiteurs", "visitantes", "nutzer",
    ),
    "pageviews": ("pageviews", "page views", "views", "seitenaufrufe", "pages vues", "paginas vistas"),
    "visits": ("visits", "sessions", "besuche", "sitzungen", "visites", "sesiones", "visitas"),
    "active_users": ("active users", "dau", "daily active users"),
    "downloads": ("downloads", "installs", "first time downloads", "installationen"),
    "search_clicks": ("clicks", "klicks", "clics"),
    "search_impressions": ("impressions", "impressionen"),
    "gross_sales": ("gross sales", "revenue", "total sales", "sales", "umsatz", "chiffre d affaires", "ventas"),
    "proceeds": ("proceeds", "net proceeds", "payout"),
    "mrr": ("mrr", "monthly recurring revenue"),
    "crashes": ("crashes",),
    "events": ("events", "event count"),
}


# Words that change the meaning of the one next to them: a discount amount is not an amount.
_OTHER: Final = frozenset({
    "discount", "shipping", "refund", "refunded", "balance", "handling", "coupon", "compare", "tip", "gift", "adjusted",
    "old", "previous", "rabatt", "versand", "remise", "descuento", "sconto", "desconto", "korting",
})

# Words that add no meaning to a name.
_OF_ANYTHING: Final = frozenset({"name", "number", "type", "code"})

# fmt: on


def plain(name: str) -> str:
    """A column name without case, accents and punctuation, in separate words: `OrderID` and `order_id` are equal."""
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name.replace("ß", "ss"))
    text = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    return " ".join(re.findall(r"[a-z0-9]+", text))


def likeness(name: str, known: tuple[str, ...]) -> float:
    """How well a column name matches the known ones, from 0 to 1: exact matches by rank, then names that contain
    one.
    """
    words = plain(name)
    if words in known:
        return 1.0 - known.index(words) / (4 * len(known))
    joined = words.replace(" ", "")
    if any(joined == each.replace(" ", "") for each in known):
        return 0.7
    parts = set(words.split())
    if parts & _OTHER:
        return 0.0
    inside = [
        place
        for place, each in enumerate(known)
        if len(each) > 3 and each not in _OF_ANYTHING and set(each.split()) <= parts
    ]
    return 0.5 - inside[0] / (4 * len(known)) if inside else 0.0
