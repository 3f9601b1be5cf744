//! Double clicks, tabs and slow images beside a login.

use rocket::figment::Figment;

use super::orders::{Ask, Ends, Race, Request, Tab, orders};
use super::site::{Site, Sites, in_memory};

const CLICK: Ask = Ask::Login(1);

/// What an image from before a login does, and how the 19 orders in which it overlaps the
/// login end. Whoever is not logged in has sent a form that `renew` or an end had made
/// worthless, or was logged out by an answer that no server can take back:
///
/// - one that left before the login's and arrives after it, with a removal or with the
///   token of the renewed session;
/// - the removal of a `clear` whose request had found the session from before the login
///   (D15).
///
/// Nobody is locked out: the next try logs in.
const IMAGES: [(&str, Ends); 10] = [
    ("read", ALL),
    ("write", ALL),
    ("save", ALL),
    ("begin", ALL),
    ("set", ALL),
    ("touch", ALL),
    ("renew", OVER),
    ("clear", OVER),
    ("clear-and-set", OVER),
    ("revoke", OVER),
];
const ALL: Ends = Ends { logged_in: 19, ..Ends::NONE };
const OVER: Ends = Ends { logged_in: 13, refused: 4, overtaken: 2, ..Ends::NONE };

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_a_slow_image_from_before_a_login_does_not_log_out() {
    let mut sites = Sites::new(Figment::new()).await;
    for site in &mut sites.all {
        for (does, ends) in IMAGES {
            let race = [Ask::Act(does), CLICK];
            assert_eq!(Race::of(&race).run(site, &orders(2, 0)).await, ends, "{does}");
        }
    }
}

/// With two clicks, and all three requests sent before an answer leaves. A removal or a
/// token that left before both logins' answers may come last, as above.
const BESIDE_TWO_CLICKS: [(&str, Ends); 6] = [
    ("read", Ends { logged_in: 90, ..Ends::NONE }),
    ("write", Ends { logged_in: 90, ..Ends::NONE }),
    ("begin", Ends { logged_in: 90, ..Ends::NONE }),
    ("set", Ends { logged_in: 90, ..Ends::NONE }),
    ("renew", Ends { logged_in: 84, overtaken: 6, ..Ends::NONE }),
    ("clear", Ends { logged_in: 84, overtaken: 6, ..Ends::NONE }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_a_double_click_beside_a_slow_image_logs_in() {
    let mut site = in_memory(Figment::new()).await;
    for (does, ends) in BESIDE_TWO_CLICKS {
        let race = [CLICK, CLICK, Ask::Act(does)];
        assert_eq!(Race::of(&race).run(&mut site, &orders(3, 3)).await, ends, "{does}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_a_double_click_logs_in_whatever_order_the_answers_come_in() {
    let mut sites = Sites::new(Figment::new()).await;
    for site in &mut sites.all {
        let all = |logged_in| Ends { logged_in, ..Ends::NONE };
        let twice = Race::of(&[CLICK; 2]);
        assert_eq!(twice.run(site, &orders(2, 0)).await, all(20));
        let again = Race { lost: &[0], ..twice };
        assert_eq!(again.run(site, &orders(2, 0)).await, all(20), "the first answer is lost");
        assert_eq!(Race::of(&[CLICK; 3]).run(site, &orders(3, 3)).await, all(90));
    }
}

/// The last answer to arrive says as whom. A form that is sent after a login has arrived is
/// refused, and leaves that login alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_of_two_tabs_that_log_in_the_last_answer_wins() {
    let mut sites = Sites::new(Figment::new()).await;
    for site in &mut sites.all {
        let ends = Race::of(&[Ask::Login(1), Ask::Login(2)]).run(site, &orders(2, 0)).await;
        assert_eq!(ends, Ends { logged_in: 20, ..Ends::NONE });
    }
}

/// An image that was sent without any cookie, before the login form was opened, begins a
/// session of its own. No server can tell whose it is: if its answer comes last, it takes
/// the login's place, and if it comes before the form is sent, that is refused.
async fn image_of_a_stranger(site: &mut Site, order: &[usize]) -> &'static str {
    let mut tab = Tab::open(site).await;
    let form = std::mem::replace(&mut tab.browser, site.browser());
    let mut requests = [Request::new(Ask::Act("begin")), Request::new(CLICK)];
    requests[0].step(0, site, &mut tab, false).await;
    tab.browser = form;
    for (now, at) in order.iter().enumerate() {
        requests[*at].step(now + 1, site, &mut tab, false).await;
    }
    let [image, login] = &requests;
    let (last, end) = if image.arrived < login.sent {
        (403, "refused")
    } else if image.arrived > login.arrived {
        (303, "overtaken")
    } else {
        (303, "logged in")
    };
    assert_eq!(login.answer().status, last, "{requests:#?}");
    let who = if end == "logged in" { tab.name(1) } else { "nobody".into() };
    assert_eq!(tab.browser.who().await, who, "{requests:#?}");
    assert_eq!(tab.log_in().await, tab.name(1), "{requests:#?}");
    end
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_an_image_that_was_sent_without_a_cookie_is_a_strangers() {
    let mut site = in_memory(Figment::new()).await;
    let mut ends = Vec::new();
    for order in orders(2, 1) {
        ends.push(image_of_a_stranger(&mut site, &order[1..]).await);
    }
    for (end, count) in [("logged in", 5), ("overtaken", 4), ("refused", 1)] {
        assert_eq!(ends.iter().filter(|one| **one == end).count(), count, "{end}");
    }
}
