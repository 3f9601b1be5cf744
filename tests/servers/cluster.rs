//! The example `cluster`, as its reader runs it: two processes behind nginx.

use std::path::PathBuf;
use std::process::Command;

use crate::process::free_port;

pub fn program() -> PathBuf {
    let test = std::env::current_exe().expect("this program");
    test.ancestors().nth(2).expect("target/<profile>").join("examples/cluster")
}

#[test]
fn two_processes_behind_nginx_are_one_application() {
    let output = Command::new("examples/cluster/run")
        .arg(program())
        .envs(["NGINX", "NODE1", "NODE2", "REDIS"].map(|name| (name, free_port().to_string())))
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("bash");
    let (said, failed) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}{failed}");
    assert!(said.contains("200 items sent while a node was killed"), "{said}");
    assert!(said.ends_with("ann is logged out everywhere, bob is not: on both nodes\n"), "{said}");
}
