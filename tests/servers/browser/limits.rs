//! One session for each owner: a double click does not lock out.

use rocket::figment::Figment;

use super::orders::{Ask, Ends, Race, orders};
use super::site::Sites;

pub fn one_session(policy: &str) -> Figment {
    Figment::from(("sessions.visitor.max_sessions_per_owner", 1))
        .merge(("sessions.visitor.owner_limit_policy", policy))
}

/// Which answer of two clicks is lost, and how their 20 orders end. The login that is
/// committed last ends the other one. So a browser is out if it takes the answer of the
/// earlier one last, or only that. With `refuse` it then stays out until that session ends,
/// as whoever loses the cookie of the only session.
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
                let race = Race { limit: Some(policy), lost, ..Race::of(&[Ask::Login(1); 2]) };
                assert_eq!(race.run(site, &orders(2, 0)).await, ends, "{policy}, {lost:?} lost");
            }
        }
    }
}

/// Another click than the one whose answer is lost logs in.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn d23_whoever_lost_the_answer_to_a_login_logs_in_again_whatever_the_limit() {
    for policy in ["end-oldest", "refuse"] {
        let mut sites = Sites::new(one_session(policy)).await;
        for site in &mut sites.all {
            let race = Race { limit: Some(policy), lost: &[0], ..Race::of(&[Ask::Login(1)]) };
            let ends = race.run(site, &orders(1, 0)).await;
            assert_eq!(ends, Ends { lost: 1, ..Ends::NONE }, "{policy}");
        }
    }
}
