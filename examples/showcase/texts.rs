//! The texts of the pages, in each language.

use std::collections::BTreeMap;

use super::session::Language;

/// What the templates see of the texts: `{{ t.cart }}`.
pub type Texts = BTreeMap<&'static str, &'static str>;

pub fn all(language: Language) -> Texts {
    TEXTS.iter().map(|(name, english, german)| (*name, choose(language, english, german))).collect()
}

pub fn find(language: Language, name: &str) -> Option<&'static str> {
    let (_, english, german) = TEXTS.iter().find(|(text, ..)| *text == name)?;
    Some(choose(language, english, german))
}

fn choose<'a>(language: Language, english: &'a str, german: &'a str) -> &'a str {
    match language {
        Language::En => english,
        Language::De => german,
    }
}

/// Name, English, German.
const TEXTS: &[(&str, &str, &str)] = &[
    // All pages.
    ("shop_name", "Clay & Leaf", "Ton & Blatt"),
    ("skip", "Skip to the content", "Zum Inhalt springen"),
    ("navigation", "Main navigation", "Hauptnavigation"),
    ("products", "Products", "Produkte"),
    ("cart", "Cart", "Warenkorb"),
    ("devices", "Devices", "Geräte"),
    ("admin", "Admin", "Verwaltung"),
    ("log_in", "Log in", "Anmelden"),
    ("log_out", "Log out", "Abmelden"),
    ("preferences", "Language and theme", "Sprache und Farben"),
    ("about", "An example. Nothing is sold here.", "Ein Beispiel. Hier wird nichts verkauft."),
    (
        "unavailable",
        "Carts and accounts are not available at the moment.",
        "Warenkörbe und Konten sind im Moment nicht verfügbar.",
    ),
    // Products.
    ("hero", "Quiet things for the table", "Stille Dinge für den Tisch"),
    ("hero_text", "Six things, made to be used every day.", "Sechs Dinge, gemacht für jeden Tag."),
    ("teapot", "Teapot", "Teekanne"),
    ("teapot_about", "Stoneware, holds one litre.", "Steinzeug, fasst einen Liter."),
    ("mug", "Mug", "Becher"),
    ("mug_about", "Stoneware, with a wide handle.", "Steinzeug, mit breitem Henkel."),
    ("vase", "Vase", "Vase"),
    ("vase_about", "Hand-thrown, for a single branch.", "Handgedreht, für einen einzelnen Zweig."),
    ("lamp", "Lamp", "Lampe"),
    ("lamp_about", "Oak and linen, with a warm light.", "Eiche und Leinen, mit warmem Licht."),
    ("notebook", "Notebook", "Notizbuch"),
    ("notebook_about", "96 pages, sewn by hand.", "96 Seiten, von Hand geheftet."),
    ("plant", "Plant", "Pflanze"),
    ("plant_about", "A rubber tree in a clay pot.", "Ein Gummibaum im Tontopf."),
    ("product", "Product", "Produkt"),
    ("quantity", "Quantity", "Anzahl"),
    ("price", "Price", "Preis"),
    ("total", "Total", "Summe"),
    ("add", "Add to the cart", "In den Warenkorb"),
    ("remove", "Remove", "Entfernen"),
    ("added", "It is in your cart.", "Es ist im Warenkorb."),
    ("removed", "It is removed.", "Es ist entfernt."),
    ("empty", "Your cart is empty.", "Der Warenkorb ist leer."),
    ("to_products", "To the products", "Zu den Produkten"),
    (
        "keep_cart",
        "Your cart stays when you log in.",
        "Der Warenkorb bleibt beim Anmelden erhalten.",
    ),
    // Accounts.
    ("name", "Name", "Name"),
    ("password", "Password", "Passwort"),
    ("new_password", "New password", "Neues Passwort"),
    ("remember", "Remember me for 30 days", "30 Tage angemeldet bleiben"),
    ("no_account", "No account yet?", "Noch kein Konto?"),
    ("register", "Register", "Registrieren"),
    ("welcome", "You are logged in.", "Sie sind angemeldet."),
    ("bye", "You are logged out.", "Sie sind abgemeldet."),
    (
        "has_ended",
        "Your session has ended. Please log in again.",
        "Ihre Sitzung ist beendet. Bitte melden Sie sich wieder an.",
    ),
    ("wrong_password", "The name or the password is wrong.", "Name oder Passwort ist falsch."),
    ("name_taken", "Somebody has this name already.", "Diesen Namen gibt es schon."),
    (
        "bad_name",
        "A name has up to 32 letters and digits.",
        "Ein Name hat bis zu 32 Buchstaben und Ziffern.",
    ),
    (
        "short_password",
        "A password has at least 8 characters.",
        "Ein Passwort hat mindestens 8 Zeichen.",
    ),
    ("confirm", "Confirm your password", "Passwort bestätigen"),
    (
        "confirm_text",
        "This area needs a login that is at most ten minutes old.",
        "Dieser Bereich verlangt eine Anmeldung, die höchstens zehn Minuten alt ist.",
    ),
    ("change_password", "Change the password", "Passwort ändern"),
    (
        "change_password_text",
        "All other devices are logged out.",
        "Alle anderen Geräte werden abgemeldet.",
    ),
    (
        "password_changed",
        "Your password is changed. All other devices are logged out.",
        "Das Passwort ist geändert. Alle anderen Geräte sind abgemeldet.",
    ),
    // Devices.
    ("devices_text", "You are logged in here:", "Hier sind Sie angemeldet:"),
    ("unknown_browser", "An unknown browser", "Ein unbekannter Browser"),
    ("this_device", "This device", "Dieses Gerät"),
    ("just_now", "used just now", "gerade benutzt"),
    ("seen", "last used", "zuletzt benutzt vor"),
    ("minutes", "min ago", "Min."),
    ("log_out_device", "Log out", "Abmelden"),
    ("log_out_others", "Log out all others", "Alle anderen abmelden"),
    ("log_out_everywhere", "Log out everywhere", "Überall abmelden"),
    ("device_logged_out", "The device is logged out.", "Das Gerät ist abgemeldet."),
    ("no_such_device", "There is no such device.", "Dieses Gerät gibt es nicht."),
    ("others_logged_out", "All others are logged out.", "Alle anderen sind abgemeldet."),
    ("everywhere_logged_out", "You are logged out everywhere.", "Sie sind überall abgemeldet."),
    // The admin area.
    (
        "admin_text",
        "Who has an account, and on how many devices.",
        "Wer ein Konto hat, und auf wie vielen Geräten.",
    ),
    ("accounts", "Accounts", "Konten"),
    ("role", "Role", "Rolle"),
    ("customer", "Customer", "Kundschaft"),
    (
        "account_logged_out",
        "The account is logged out everywhere.",
        "Das Konto ist überall abgemeldet.",
    ),
    // Preferences.
    ("language", "Language", "Sprache"),
    ("theme", "Theme", "Farben"),
    ("theme_auto", "As the system", "Wie das System"),
    ("theme_light", "Light", "Hell"),
    ("theme_dark", "Dark", "Dunkel"),
    ("save", "Save", "Speichern"),
    ("saved", "Your choice is saved.", "Ihre Wahl ist gespeichert."),
    // Errors.
    ("error_401", "Please log in", "Bitte melden Sie sich an"),
    (
        "error_401_text",
        "This page is for users who have logged in.",
        "Diese Seite sehen nur Angemeldete.",
    ),
    ("error_403", "This is not allowed", "Das ist nicht erlaubt"),
    (
        "error_403_text",
        "The page is for admins, or its form was too old. Go back, load the page again, and try once more.",
        "Die Seite ist für die Verwaltung, oder ihr Formular war zu alt. Gehen Sie zurück, laden Sie die Seite neu, und versuchen Sie es noch einmal.",
    ),
    ("error_404", "There is no such page", "Diese Seite gibt es nicht"),
    (
        "error_404_text",
        "The address may be misspelled.",
        "Vielleicht ist die Adresse falsch geschrieben.",
    ),
    ("error_500", "Something went wrong", "Etwas ist schiefgegangen"),
    (
        "error_500_text",
        "It is our fault. Nothing was changed.",
        "Es liegt an uns. Nichts wurde geändert.",
    ),
    ("error_503", "We will be back in a moment", "Wir sind gleich zurück"),
    (
        "error_503_text",
        "Carts and accounts do not answer. You are still logged in: please try again.",
        "Warenkörbe und Konten antworten nicht. Sie bleiben angemeldet: Bitte versuchen Sie es noch einmal.",
    ),
    ("error_other", "This request is not understood", "Diese Anfrage wird nicht verstanden"),
    (
        "error_other_text",
        "Go back and check what you have entered.",
        "Gehen Sie zurück und prüfen Sie Ihre Eingaben.",
    ),
];
