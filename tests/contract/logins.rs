//! From login to end, on the storages of this process; `tests/servers` has the others.

use rocket_typed_sessions::storage::{Directory, Memory};

#[path = "../shared/logins.rs"]
pub mod shared;

#[tokio::test]
async fn d15_a_login_begins_another_session() {
    shared::a_login_begins_another_session(Memory::new(1000)).await;
}

#[tokio::test]
async fn d23_what_a_login_replaced_overwrites_nothing() {
    shared::what_a_login_replaced_overwrites_nothing(Memory::new(1000)).await;
}

#[tokio::test]
async fn d23_a_limit_locks_nobody_out() {
    shared::a_limit_locks_nobody_out(Memory::new(1000)).await;
}

#[tokio::test]
async fn d23_a_late_click_comes_in_the_last_ones_place() {
    shared::a_late_click_comes_in_the_last_ones_place(Memory::new(1000)).await;
}

#[tokio::test]
async fn d23_a_late_click_ends_no_other_device() {
    shared::a_late_click_ends_no_other_device(Memory::new(1000)).await;
}

#[tokio::test]
async fn d23_somebody_elses_login_between_two_clicks() {
    shared::somebody_elses_login_between_two_clicks(Memory::new(1000)).await;
}

#[tokio::test]
async fn d23_a_click_with_the_first_form_comes_last() {
    shared::a_click_with_the_first_form_comes_last(Memory::new(1000)).await;
}

#[tokio::test]
async fn d23_clicks_beside_somebody_elses_end_no_device() {
    shared::clicks_beside_somebody_elses_end_no_device(Memory::new(1000)).await;
}

#[tokio::test]
async fn d22_who_lost_the_answer_of_renew_logs_in_again() {
    shared::who_lost_the_answer_of_renew_logs_in_again(Memory::new(1000)).await;
}

#[tokio::test]
async fn d22_a_renewal_that_is_not_received_logs_nobody_out() {
    shared::a_renewal_that_is_not_received_logs_nobody_out(Memory::new(1000)).await;
}

#[tokio::test]
async fn d22_a_session_that_was_renewed_meanwhile_is_the_same() {
    shared::a_session_that_was_renewed_meanwhile_is_the_same(Memory::new(1000)).await;
}

#[tokio::test]
async fn d16_a_session_lives_as_long_as_it_says() {
    shared::a_session_lives_as_long_as_it_says(Memory::new(1000)).await;
}

#[tokio::test]
async fn from_login_to_end_in_a_directory() {
    let folder = tempfile::tempdir().expect("a folder");
    shared::from_login_to_end(Directory::open(folder.path()).expect("a directory")).await;
}
