//! The bearer token, where one is set.

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::dev::ServiceRequest;
use actix_web::http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::config::Secret;

/// Routes that a load balancer or a kubelet asks without a token.
const OPEN: [&str; 2] = ["/livez", "/readyz"];

/// Whether the request may pass: there is no token, it is one of [`OPEN`], or it carries the token: as a bearer's, or as the
/// password of any user, which a browser can ask for.
pub(super) fn admits(token: Option<&Secret>, request: &ServiceRequest) -> bool {
    let Some(token) = token else { return true };
    OPEN.contains(&request.path()) || carries(token, request.headers().get(AUTHORIZATION))
}

/// Whether an `Authorization` header carries `token`.
pub(super) fn carries(token: &Secret, header: Option<&actix_web::http::header::HeaderValue>) -> bool {
    let given = header.and_then(|value| value.to_str().ok()).and_then(|text| text.split_once(' '));
    let Some((scheme, credentials)) = given else { return false };
    if scheme.eq_ignore_ascii_case("bearer") {
        return same(credentials.trim().as_bytes(), token.expose().as_bytes());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return false;
    }
    let decoded = STANDARD.decode(credentials.trim()).unwrap_or_default();
    let password = decoded.splitn(2, |&byte| byte == b':').nth(1);
    password.is_some_and(|password| same(password, token.expose().as_bytes()))
}

/// Compares digests: how long that takes tells nothing of where the two differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    let digest = |text| ring::digest::digest(&ring::digest::SHA256, text);
    digest(a).as_ref() == digest(b).as_ref()
}

/// 401, which makes a browser ask. Each way has a line of its own, since Chromium takes a line for one challenge.
pub(super) fn refusal() -> HttpResponse<BoxBody> {
    HttpResponse::Unauthorized()
        .append_header((WWW_AUTHENTICATE, "Basic realm=\"beatlytica\", charset=\"UTF-8\""))
        .append_header((WWW_AUTHENTICATE, "Bearer realm=\"beatlytica\""))
        .json(serde_json::json!({"error": "the token is missing or wrong"}))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn the_token_passes_as_a_bearers_or_as_a_password_and_nothing_else_does() {
        let token = Secret::from("secret".to_owned());
        let basic = |text: &str| format!("Basic {}", STANDARD.encode(text));
        for (header, passes) in [
            ("Bearer secret".to_owned(), true),
            ("bearer  secret ".to_owned(), true),
            (basic("anyone:secret"), true),
            (basic(":secret"), true),
            ("Bearer secrets".to_owned(), false),
            ("Bearer ".to_owned(), false),
            ("secret".to_owned(), false),
            ("Digest secret".to_owned(), false),
            (basic("secret"), false),
            (basic("secret:"), false),
            ("Basic !!".to_owned(), false),
        ] {
            let value = HeaderValue::from_str(&header).unwrap();
            assert_eq!(carries(&token, Some(&value)), passes, "{header}");
        }
        assert!(!carries(&token, None));
    }

    #[test]
    fn each_way_to_carry_the_token_is_told_in_a_line_of_its_own() {
        let response = refusal();
        let told: Vec<&str> =
            response.headers().get_all(WWW_AUTHENTICATE).map(|value| value.to_str().unwrap()).collect();
        let schemes: Vec<&str> = told.iter().filter_map(|line| line.split(' ').next()).collect();
        assert_eq!(schemes, ["Basic", "Bearer"], "{told:?}");
    }

    #[test]
    fn only_the_health_checks_need_none() {
        let token = Secret::from("secret".to_owned());
        for (path, passes) in
            [("/livez", true), ("/readyz", true), ("/metrics", false), ("/", false), ("/livez/x", false)]
        {
            let request = TestRequest::with_uri(path).to_srv_request();
            assert_eq!(admits(Some(&token), &request), passes, "{path}");
            assert!(admits(None, &request));
        }
    }
}
