//! `POST /v1/accounts/signOut`

use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn a_session_ends_by_either_of_its_tokens() {
    let server = Server::start().await;
    for name in ["idToken", "refreshToken"] {
        let session = server.session().await;
        let ask = json!({ name: session[name] });
        let reply = server.post("/v1/accounts/signOut").json(ask).send().await;
        assert_eq!((reply.status, reply.json()), (200, json!({})));
        let ask = json!({"idToken": session["idToken"]});
        let reply = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
        reply.assert_refusal(401, "TOKEN_REVOKED");
        let ask = json!({"grant_type": "refresh_token", "refresh_token": session["refreshToken"]});
        let reply = server.post("/v1/token").json(ask).send().await;
        reply.assert_refusal(401, "INVALID_REFRESH_TOKEN");
    }
}

#[tokio::test]
async fn everywhere_ends_the_others_too() {
    let server = Server::start().await;
    let (first, second) = (server.session().await, server.session().await);
    let ask = json!({"refreshToken": first["refreshToken"], "everywhere": true});
    let reply = server.post("/v1/accounts:signOut").json(ask).send().await;
    assert_eq!(reply.status, 200);
    for session in [first, second] {
        let ask = json!({"idToken": session["idToken"]});
        let reply = server.post("/v1/accounts/lookup").keyed().json(ask).send().await;
        reply.assert_refusal(401, "TOKEN_REVOKED");
    }
}

/// Attacks, row L2: a revocation is not forgotten at a restart.
#[tokio::test]
async fn l2_what_was_signed_out_stays_so_after_a_restart() {
    let server = Server::start().await;
    let (one, all) = (server.session().await, server.session().await);
    for ask in
        [json!({"idToken": one["idToken"]}), json!({"idToken": all["idToken"], "everywhere": true})]
    {
        assert_eq!(server.post("/v1/accounts/signOut").json(ask).send().await.status, 200);
    }
    let server = Server::start_over(server.stop().await).await;
    for session in [one, all] {
        let ask = json!({"grant_type": "refresh_token", "refresh_token": session["refreshToken"]});
        let reply = server.post("/v1/token").json(ask).send().await;
        reply.assert_refusal(401, "INVALID_REFRESH_TOKEN");
    }
}

#[tokio::test]
async fn what_is_none_or_two_tokens_is_refused() {
    let server = Server::start().await;
    let session = server.session().await;
    for ask in [
        json!({}),
        json!({"everywhere": true}),
        json!({"idToken": session["idToken"], "refreshToken": session["refreshToken"]}),
        json!({"idToken": 7}),
        json!({"idToken": session["idToken"], "everywhere": "yes"}),
    ] {
        let reply = server.post("/v1/accounts/signOut").json(ask).send().await;
        reply.assert_refusal(400, "INVALID_ARGUMENT");
    }
    let ask = json!({"idToken": session["refreshToken"]});
    let reply = server.post("/v1/accounts/signOut").json(ask).send().await;
    reply.assert_refusal(401, "INVALID_ID_TOKEN");
    let ask = json!({"refreshToken": session["idToken"]});
    let reply = server.post("/v1/accounts/signOut").json(ask).send().await;
    reply.assert_refusal(401, "INVALID_REFRESH_TOKEN");
}
