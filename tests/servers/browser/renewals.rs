//! Renewals whose answers are lost, or come in any order.

use std::time::Duration;

use rocket::figment::Figment;

use super::orders::{Ask, Ends, Race, Tab, orders};
use super::site::{Site, Sites, in_memory};

fn renewing() -> Figment {
    Figment::from(("sessions.visitor.renew_after", "1 hour"))
}

/// A renewal is due.
fn due(site: &Site) {
    site.clock.advance(Duration::from_secs(3601));
}

/// Which answer is lost, of an image that renews and of a login, and how their orders end.
/// The token of a renewal that left before the login's may come after it, as any answer.
const LOST: [(&[usize], Ends); 3] = [
    (&[], Ends { logged_in: 16, overtaken: 3, ..Ends::NONE }),
    (&[0], Ends { logged_in: 19, ..Ends::NONE }),
    (&[1], Ends { lost: 20, ..Ends::NONE }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d22_a_renewal_beside_a_login_does_not_log_out() {
    let mut sites = Sites::new(renewing()).await;
    for site in &mut sites.all {
        for does in ["read", "write"] {
            let asks = [Ask::Act(does), Ask::Login(1)];
            for (lost, ends) in LOST {
                let race = Race { lost, before: due, ..Race::of(&asks) };
                assert_eq!(race.run(site, &orders(2, 0)).await, ends, "{does}, {lost:?} lost");
            }
        }
        let race = Race { before: due, ..Race::of(&[Ask::Login(1); 2]) };
        let ends = race.run(site, &orders(2, 0)).await;
        assert_eq!(ends, Ends { logged_in: 20, ..Ends::NONE }, "a double click");
    }
}

/// Requests in parallel when a renewal is due. Their browser stays logged in, beyond the
/// grace and the next renewal.
async fn stays_logged_in(site: &mut Site, asks: &[Ask], order: &[usize], lost: &[usize]) {
    let mut tab = Tab::open(site).await;
    let user = tab.log_in().await;
    due(site);
    let requests = tab.play(site, asks, order, lost).await;
    let case = format!("{}, {order:?}, {lost:?} lost: {requests:#?}", site.name);
    assert_eq!(tab.browser.who().await, user, "{case}");
    site.clock.advance(Duration::from_secs(300));
    assert_eq!(tab.browser.who().await, user, "after the grace: {case}");
    due(site);
    assert_eq!(tab.browser.who().await, user, "at the next renewal: {case}");
    assert_eq!(tab.browser.who().await, user, "after it: {case}");
}

const THREE: [Ask; 3] = [Ask::Act("read"), Ask::Act("write"), Ask::Act("begin")];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d22_three_requests_at_a_renewal_stay_logged_in_in_every_order() {
    let mut sites = Sites::new(renewing()).await;
    for site in &mut sites.all {
        for order in orders(3, 3) {
            stays_logged_in(site, &THREE, &order, &[]).await;
        }
    }
    let mut site = in_memory(renewing()).await;
    for order in orders(3, 2) {
        stays_logged_in(&mut site, &THREE, &order, &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d22_whoever_loses_answers_at_a_renewal_stays_logged_in() {
    let mut site = in_memory(renewing()).await;
    for order in orders(3, 3) {
        for lost in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
            stays_logged_in(&mut site, &THREE, &order, lost).await;
        }
    }
}
