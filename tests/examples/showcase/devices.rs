//! The page of devices.

use super::browser::{Browser, location, token};
use crate::server::*;

#[test]
fn a_user_sees_all_devices_and_logs_out_one_and_all_others_and_everywhere() {
    let server = Server::start("showcase", &[]);
    let phone = Browser::of(&server, "Phone", "ann");
    let [laptop, tablet] = ["Laptop<b>", "Tablet"].map(|agent| Browser::new(&server, agent));
    for device in [&laptop, &tablet] {
        device.log_in("ann", "swordfish");
    }
    let page = phone.get("/devices");
    for agent in ["Phone", "Laptop&lt;b&gt;", "Tablet"] {
        assert!(page.contains(&format!("<p class=\"agent\">{agent}</p>")), "{page}");
    }
    let (_, this) = page.split_once("<p class=\"agent\">Phone").expect("the phone");
    assert!(page.matches("This device").count() == 1 && this.contains("This device"), "{page}");

    let (_, form) = page.split_once("Laptop&lt;b&gt;").expect("the laptop");
    let (_, handle) = form.split_once("name=\"device\" value=\"").expect("its handle");
    let handle = handle.split('"').next().expect("its value");
    let stranger = Browser::of(&server, "Phone", "eve");
    let fields = format!("device={handle}");
    stranger.submit("/devices", "/devices/others", "");
    let token = token(&stranger.get("/devices"), "/devices/others");
    stranger.post("/devices/end", &format!("{fields}&csrf_token={token}"));
    assert!(stranger.get("/devices").contains("There is no such device."));
    assert!(laptop.is_logged_in(), "nobody ends the device of somebody else");

    phone.submit("/devices", "/devices/end", &fields);
    assert!(phone.get("/devices").contains("The device is logged out."));
    let ended = laptop.get("/login");
    assert!(ended.contains("Your session has ended. Please log in again."), "{ended}");
    assert!(!laptop.is_logged_in() && tablet.is_logged_in());

    phone.submit("/devices", "/devices/others", "");
    assert!(!tablet.is_logged_in() && phone.devices() == 1);

    tablet.log_in("ann", "swordfish");
    assert_eq!(tablet.devices(), 2);
    assert_eq!(location(&phone.submit("/devices", "/devices/everywhere", "")), "/");
    assert!(!phone.is_logged_in() && !tablet.is_logged_in());
}
