//! What both machines make of an orderly end, and of another.

use crate::client_side;
use crate::machine_tests::{Fill, greeted, head, to_server};
use rpc_core::{Code, Status};

#[test]
fn what_crosses_an_orderly_end_did_not_run_and_what_ran_is_returned_before_it() {
    let nothing: Fill = |_| Ok(());
    for orderly in [true, false] {
        let (mut client, mut server, now) = greeted();
        client.call(&head(), false, true, nothing).expect("usable");
        to_server(&mut client, &mut server, now);
        server.link.drain();
        client.call(&head(), false, true, nothing).expect("crosses");
        let end = Status::new(Code::Unavailable, "no more time");
        match orderly {
            true => {
                server.finish_all(&end);
                server.link.end_in_order();
            }
            // As after a breach of the rules: the first call may run on.
            false => drop(server.link.end(end)),
        }
        client.link.receive(&server.link.output, now);
        let mut returned = Vec::new();
        let ended = loop {
            match client.next_event(now) {
                Ok(Some(client_side::Event::Returned(call, Err(status)))) => {
                    returned.push((call, status.did_not_run()));
                }
                Ok(Some(_)) => {}
                Ok(None) => panic!("it has ended"),
                Err(status) => break status,
            }
        };
        assert_eq!(ended.did_not_run(), orderly);
        let expected = if orderly { vec![(1, false)] } else { vec![] };
        assert_eq!(returned, expected);
    }
}
