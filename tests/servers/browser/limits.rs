//! One session for each owner: a double click does not lock out.

use rocket::figment::Figment;

use super::orders::{Ask, Ends, Race, orders};
use super::site::Sites;

pub fn one_session(policy: &str) -> Figment {
    Figment::from(("sessions.visitor.max_sessions_per_owner", 1))
        .merge(("sessions.visitor.owner_limit_policy", policy))
}

/// Which answer of two clicks is lost, and how their 20 orders end. The login that is
/// committed last takes the place of the other one. So a browser is out if it takes the
/// answer of the earlier one last, or only that. It then logs in again, also with `refuse`:
/// it comes in the place of its own session.
const LOST: [(&[usize], Ends); 3] = [
    (&[], Ends { logged_in: 14, ended: 6, ..Ends::NONE }),
    (&[0], Ends { logged_in: 11, ended: 9, ..Ends::NONE }),
    (&[1], Ends { logged_in: 11, ended: 9, ..Ends::NONE }),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_a_double_click_is_not_locked_out_by_a_limit_of_one_session() {
    for policy in ["end-oldest", "refuse"] {
        let mut sites = Sites::new(one_session(policy)).await;
        for site in &mut sites.all {
            for (lost, ends) in LOST {
                let race = Race { limit: true, lost, ..Race::of(&[Ask::Login(1); 2]) };
                assert_eq!(race.run(site, &orders(2, 0)).await, ends, "{policy}, {lost:?} lost");
            }
        }
    }
}

/// How the 90 orders of three clicks end that have all found the session from before.
const THREE_CLICKS: Ends = Ends { logged_in: 48, ended: 42, ..Ends::NONE };

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_no_third_click_is_refused_by_a_limit_of_one_session() {
    for policy in ["end-oldest", "refuse"] {
        let mut sites = Sites::new(one_session(policy)).await;
        for site in &mut sites.all {
            let race = Race { limit: true, ..Race::of(&[Ask::Login(1); 3]) };
            assert_eq!(race.run(site, &orders(3, 3)).await, THREE_CLICKS, "{policy}");
        }
    }
}

/// Another click than the one whose answer is lost logs in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_whoever_lost_the_answer_to_a_login_logs_in_again_whatever_the_limit() {
    for policy in ["end-oldest", "refuse"] {
        let mut sites = Sites::new(one_session(policy)).await;
        for site in &mut sites.all {
            let race = Race { limit: true, lost: &[0], ..Race::of(&[Ask::Login(1)]) };
            let ends = race.run(site, &orders(1, 0)).await;
            assert_eq!(ends, Ends { lost: 1, ..Ends::NONE }, "{policy}");
        }
    }
}
