import Foundation
import MeteringModel
import MeteringPorts
import Synchronization
import Testing

@Suite struct CheckTests {
    @Test func decisionIsTheDocumentedOne() async throws {
        try await Harness.run { server in
            let reply = try await server.send(
                "POST", "/v1/check", #"{"customer":"acme","feature":"tokens","quantity":1}"#)
            #expect(reply.status == 200)
            #expect(reply.headers["content-type"] == "application/json")
            #expect(reply.headers["date"] == "Sat, 21 Nov 2026 10:15:03 GMT")
            #expect(
                reply.body == """
                    {"allowed":true,"reason":"warning","customer":"acme","feature":"tokens",\
                    "quantity":1,"limit":1000000,"used":812345,"held":0,"remaining":187655,\
                    "overage":0,"unlimited":false,\
                    "period":{"start":"2026-11-01T00:00:00+01:00",\
                    "end":"2026-12-01T00:00:00+01:00"},\
                    "resets_at":"2026-12-01T00:00:00+01:00","thresholds_crossed":["80%"],\
                    "limit_source":"plan pro v3","mode":"exact",\
                    "usage_complete_to":"2026-11-21T10:15:02.120Z","overrun_bound":0,\
                    "decided_at":null,"revision":0}
                    """)
        }
    }

    @Test func otherShapesOfDecisions() async throws {
        try await Harness.run { server in
            func ask(_ feature: String) async throws -> [String: Any] {
                try await server.send("GET", "/v1/check?customer=a&feature=\(feature)").json
            }
            let boolean = try await ask("sso")
            #expect(boolean["limit"] is NSNull && boolean["period"] is NSNull)
            #expect(boolean["resets_at"] is NSNull && boolean["remaining"] is NSNull)
            let fixed = try await ask("region")
            #expect(fixed["value"] as? String == "eu \"west\"\n")
            let endless = try await ask("endless")
            #expect(endless["unlimited"] as? Bool == true && endless["limit"] is NSNull)
            #expect((endless["period"] as? [String: Any])?["end"] is NSNull)
            let money = try await ask("money")
            #expect(money["limit"] as? String == "10000.00")
            #expect(money["remaining"] as? String == "1876.55")
        }
    }

    @Test func treesAndRevisions() async throws {
        try await Harness.run { server in
            let reply = try await server.send("GET", "/v1/check?customer=a&feature=pooled")
            #expect(try reply.json["limiting_customer"] as? String == "acme-holding")
            #expect(try reply.json["decided_at"] as? String == "2026-11-21T10:15:03Z")
            #expect(try reply.json["revision"] as? Int == 77)
        }
    }

    @Test func whereAndInWhichEnvironment() async throws {
        try await Harness.run { server in
            let body =
                #"{"customer":"a","feature":"t","environment":"sandbox","#
                + #""context":{"region":"eu","x":[1],"domain":"app.acme.test"}}"#
            let query =
                "/v1/check?customer=a&feature=t&environment=sandbox&region=eu&domain=app.acme.test"
            #expect(try await server.send("POST", "/v1/check", body).status == 200)
            #expect(
                try await server.send("POST", "/v1/check", #"{"checks":[\#(body)]}"#).status == 200)
            #expect(try await server.send("GET", query).status == 200)
            let asked = server.gate.asked.withLock { $0 }
            #expect(asked.count == 3)
            for question in asked {
                #expect(question.environment == .sandbox)
                #expect(question.region == "eu" && question.domain == "app.acme.test")
            }
            for (body, field) in [
                (#"{"customer":"a","feature":"t","environment":"staging"}"#, "environment"),
                (#"{"customer":"a","feature":"t","context":"eu"}"#, "context"),
                (#"{"customer":"a","feature":"t","context":{"region":7}}"#, "context.region"),
            ] {
                let reply = try await server.send("POST", "/v1/check", body)
                #expect(reply.status == 400 && reply.field == field, "\(reply.body)")
            }
            let odd = try await server.send("GET", "/v1/check?customer=a&feature=t&environment=x")
            #expect(odd.status == 400 && odd.field == "environment")
        }
    }

    @Test func partiesQuantitiesAndEscapes() async throws {
        try await Harness.run { server in
            let bodies = [
                #" { "subject" : "key\u005f1" , "feature":"tokens" , "other":[{"x":null}] } "#,
                #"{"customer":"Jörg \ud83d\ude00","feature":"tokens","quantity":"2.50"}"#,
            ]
            for body in bodies {
                let reply = try await server.send("POST", "/v1/check", body)
                #expect(reply.status == 200, "\(reply.body)")
            }
            let query = "/v1/check?subject=a%2Fb+c&feature=tokens&quantity=12"
            #expect(try await server.send("GET", query).status == 200)
            let asked = server.gate.asked.withLock { $0 }
            #expect(asked[0].party == .subject("key_1"))
            #expect(asked[0].quantity == DecimalQuantity(mantissa: 1))
            #expect(asked[1].party == .customer("Jörg 😀"))
            #expect(asked[1].quantity == DecimalQuantity(mantissa: 25, exponent: -1))
            #expect(asked[2].party == .subject("a/b c"))
            #expect(asked[2].quantity == DecimalQuantity(mantissa: 12))
        }
    }

    @Test(
        arguments: [
            ("", "malformed_json", nil), ("{", "malformed_json", nil),
            ("[]", "malformed_json", nil),
            (#"{"customer":"a","feature":"b"} x"#, "malformed_json", nil),
            (#"{"customer":"a","feature":"b",}"#, "malformed_json", nil),
            (#"{"customer":"a" "feature":"b"}"#, "malformed_json", nil),
            (#"{"customer":"a\x","feature":"b"}"#, "malformed_json", nil),
            (#"{"customer":"\ud800","feature":"b"}"#, "malformed_json", nil),
            ("{\"customer\":\"a\u{1}\",\"feature\":\"b\"}", "malformed_json", nil),
            (#"{"customer":"a","feature":"b","quantity":01}"#, "malformed_json", nil),
            (#"{"customer":"a","feature":"b","quantity":NaN}"#, "invalid_request", "quantity"),
            (#"{"customer":"a","feature":"b","quantity":"NaN"}"#, "invalid_request", "quantity"),
            (#"{"customer":"a","feature":"b","quantity":1e400}"#, "invalid_request", "quantity"),
            (
                #"{"customer":"a","feature":"b","quantity":99999999999999999999}"#,
                "invalid_request",
                "quantity"
            ),
            (#"{"customer":"a","feature":"b","quantity":-1}"#, "invalid_request", "quantity"),
            (#"{"customer":"a","feature":"b","quantity":true}"#, "invalid_request", "quantity"),
            (#"{"customer":7,"feature":"b"}"#, "invalid_request", "customer"),
            (#"{"customer":"","feature":"b"}"#, "invalid_request", "customer"),
            (#"{"customer":"a"}"#, "invalid_request", "feature"),
            (#"{"feature":"b"}"#, "invalid_request", "customer"),
            (#"{"customer":"a","subject":"k","feature":"b"}"#, "invalid_request", "subject"),
            (#"{"customer":"a","customer":"c","feature":"b"}"#, "invalid_request", "customer"),
            (#"{"checks":{}}"#, "invalid_request", "checks"),
            (
                #"{"checks":[{"customer":"a","feature":"b"},{"customer":"a"}]}"#, "invalid_request",
                "checks[1].feature"
            ),
            (#"{"checks":[1]}"#, "invalid_request", "checks[0]"),
        ] as [(String, String, String?)])
    func badBodies(_ body: String, _ code: String, _ field: String?) async throws {
        try await Harness.run { server in
            for route in ["/v1/check", "/v1/consume"] {
                let reply = try await server.send("POST", route, body)
                #expect(reply.status == 400, "\(reply.body)")
                #expect(reply.headers["content-type"] == "application/problem+json")
                #expect(reply.code == code, "\(reply)")
                #expect(reply.field == field)
                #expect(reply.headers["x-request-id"] == (try reply.json["request_id"] as? String))
            }
        }
    }

    @Test func deepAndInvalidBytes() async throws {
        try await Harness.run { server in
            let deep = String(repeating: "[", count: 5_000)
            let reply = try await server.send(
                "POST", "/v1/check", #"{"customer":"a","feature":"b","x":\#(deep)"#)
            #expect(reply.status == 400)
            #expect(reply.body.contains("nested deeper"))
            let start = Array(#"{"feature":"b","customer":""#.utf8)
            for bad: [UInt8] in [
                [0xFF], [0xC0, 0x80], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80],
            ] {
                let body = start + bad + Array("\"}".utf8)
                let reply = try await server.connect { wire in
                    try await wire.send(
                        "POST /v1/check HTTP/1.1\r\nHost: a\r\n"
                            + "Content-Length: \(body.count)\r\n\r\n")
                    try await wire.send(body)
                    return try await wire.reply()
                }
                #expect(reply.status == 400)
                #expect(reply.body.contains("UTF-8"))
            }
        }
    }

    @Test func batchesKeepOrderAndAnswerOneByOne() async throws {
        try await Harness.run { server in
            let names = ["tokens", "full", "down", "sso"]
            let checks = names.map { #"{"customer":"acme","feature":"\#($0)"}"# }
            let body = #"{"checks":[\#(checks.joined(separator: ","))]}"#
            for route in ["/v1/check", "/v1/consume"] {
                let reply = try await server.send("POST", route, body)
                #expect(reply.status == 200)
                let decisions = try reply.json["decisions"] as? [[String: Any]] ?? []
                #expect(
                    decisions.map { $0["feature"] as? String } == ["tokens", "full", nil, "sso"])
                #expect(decisions[2]["status"] as? Int == 503)
            }
            let many = Array(repeating: checks[0], count: 1_001).joined(separator: ",")
            let reply = try await server.send("POST", "/v1/check", #"{"checks":[\#(many)]}"#)
            #expect(reply.status == 413)
            let most = Array(repeating: checks[0], count: 1_000).joined(separator: ",")
            let full = try await server.send("POST", "/v1/consume", #"{"checks":[\#(most)]}"#)
            #expect((try full.json["decisions"] as? [Any])?.count == 1_000)
        }
    }

    @Test func denialAsStatus() async throws {
        try await Harness.run { server in
            let body = #"{"customer":"acme","feature":"full"}"#
            #expect(try await server.send("POST", "/v1/check", body).status == 200)
            for route in ["/v1/check?deny=429", "/v1/consume?deny=429"] {
                let reply = try await server.send("POST", route, body)
                #expect(reply.status == 429)
                #expect(reply.headers["ratelimit-policy"] == "\"full\";q=1000000;w=2592000")
                #expect(reply.headers["ratelimit"] == "\"full\";r=0;t=823497")
                #expect(reply.headers["retry-after"] == "3600")
                let problem = try reply.json
                #expect(problem["status"] as? Int == 429)
                #expect(problem["violated-policies"] as? [String] == ["full"])
                #expect(problem["resets_at"] as? String == "2026-12-01T00:00:00+01:00")
                #expect(problem["request_id"] as? String != nil)
            }
            let bad = try await server.send("POST", "/v1/check?deny=418", body)
            #expect(bad.status == 400 && bad.field == "deny")
        }
    }

    @Test(arguments: [
        ("down", 503, "unavailable"), ("busy", 503, "overloaded"), ("clash", 409, "id_conflict"),
        ("nobody", 404, "unknown_customer"),
    ])
    func gateErrors(_ feature: String, _ status: Int, _ code: String) async throws {
        try await Harness.run { server in
            for route in ["/v1/check", "/v1/consume"] {
                let reply = try await server.send(
                    "POST", route, #"{"customer":"a","feature":"\#(feature)"}"#)
                #expect(reply.status == status && reply.code == code)
                #expect((reply.headers["retry-after"] != nil) == (status == 503))
            }
        }
    }

    @Test func consumeTakesItsIdFromBodyOrHeader() async throws {
        try await Harness.run { server in
            let key = [("Idempotency-Key", "from-header")]
            for body in [
                #"{"customer":"a","feature":"t","id":"from-body"}"#,
                #"{"customer":"a","feature":"t"}"#,
            ] {
                let reply = try await server.send("POST", "/v1/consume", body, headers: key)
                #expect(reply.status == 200)
            }
            #expect(server.gate.asked.withLock { $0.map(\.id) } == ["from-body", "from-header"])
        }
    }

    @Test func reservations() async throws {
        try await Harness.run { server in
            let opened = try await server.send(
                "POST", "/v1/reservations",
                #"{"customer":"acme","feature":"tokens","quantity":500,"ttl_seconds":5,"id":"x"}"#)
            #expect(opened.status == 200)
            #expect(try opened.json["reservation_id"] as? String == "res-1")
            #expect(try opened.json["expires_at"] as? String == "2026-11-21T10:16:02Z")
            #expect(server.gate.timesToLive.withLock { $0 } == [5])
            let denied = try await server.send(
                "POST", "/v1/reservations", #"{"customer":"acme","feature":"full","id":"y"}"#)
            #expect(try denied.json["allowed"] as? Bool == false)
            #expect(try denied.json["reservation_id"] == nil)
            let anonymous = try await server.send(
                "POST", "/v1/reservations", #"{"customer":"acme","feature":"tokens"}"#)
            #expect(anonymous.status == 400 && anonymous.field == "id")
            let endless = try await server.send(
                "POST", "/v1/reservations",
                #"{"customer":"acme","feature":"tokens","id":"z","ttl_seconds":90000}"#)
            #expect(endless.status == 400 && endless.field == "ttl_seconds")

            let path = "/v1/reservations/res%2F1"
            let committed = try await server.send("POST", path + "/commit", #"{"quantity":412}"#)
            #expect(try committed.json["state"] as? String == "committed")
            #expect(try await server.send("POST", path + "/commit").status == 200)
            #expect(
                server.gate.commits.withLock { $0 } == [DecimalQuantity(mantissa: 412), nil])
            let released = try await server.send("POST", path + "/release")
            #expect(try released.json["state"] as? String == "released")
            let gone = try await server.send("POST", "/v1/reservations/gone/release")
            #expect(gone.status == 409 && gone.code == "reservation_closed")
            let unknown = try await server.send("POST", "/v1/reservations/no/commit")
            #expect(unknown.status == 404)
            let odd = try await server.send("POST", path + "/commit", #"{"quantity":[]}"#)
            #expect(odd.status == 400 && odd.field == "quantity")
        }
    }
}
