import Crypto
import Foundation
import MeteringModel
import Testing

extension Integration {
    /// Every wrong command is refused with a code and a field, and changes nothing.
    @Suite(.serialized) struct ControlBadInput {
        private struct Wrong {
            var method = "POST"
            var path: String
            var body: String
            var status: Int
            var code: String
            var field: String?
        }

        private static let commands: [Wrong] = [
            Wrong(
                path: "/v1/subscriptions", body: #"{"customer":"acme","plan":"bsic"}"#,
                status: 422, code: "unknown_plan", field: "plan"),
            Wrong(
                path: "/v1/subscriptions", body: #"{"customer":"nobody","plan":"basic"}"#,
                status: 422, code: "unknown_customer", field: "customer"),
            Wrong(
                path: "/v1/subscriptions",
                body: #"{"customer":"acme","plan":"pro","start":"2026-02-01"}"#, status: 422,
                code: "overlapping_subscription"),
            Wrong(
                path: "/v1/subscriptions",
                body: #"""
                    {"customer":"child","plan":"basic","start":"2026-05-01","end":"2026-04-01"}
                    """#,
                status: 422, code: "end_before_start", field: "end"),
            Wrong(
                method: "PATCH", path: "/v1/customers/acme", body: #"{"parent":"child"}"#,
                status: 422, code: "cyclic_parent", field: "parent"),
            Wrong(
                path: "/v1/overrides",
                body: #"{"customer":"acme","feature":"api_calls","value":{"limit":5}}"#,
                status: 422, code: "missing", field: "reason"),
            Wrong(
                path: "/v1/overrides",
                body: #"""
                    {"customer":"acme","feature":"api_calls","value":{"limit":-1},"reason":"x"}
                    """#,
                status: 422, code: "negative_limit", field: "value.limit"),
            Wrong(
                path: "/v1/grants",
                body: #"""
                    {"customer":"acme","feature":"api_calls","amount":5,"reason":"x",
                     "rollover":{"min":10,"max":5}}
                    """#,
                status: 422, code: "invalid_value", field: "rollover.min"),
            Wrong(
                path: "/v1/entitlements/revoke", body: #"{"account_id":"acme","product":"suite"}"#,
                status: 422, code: "missing", field: "reason"),
            Wrong(
                path: "/v1/entitlements/revoke",
                body: #"{"account_id":"acme","product":"sweet","reason":"x"}"#, status: 422,
                code: "unknown_product", field: "product"),
            Wrong(
                path: "/v1/entitlements",
                body: #"""
                    {"account_id":"acme","plan":"pro","limits":{"api_cals_per_month":5}}
                    """#,
                status: 422, code: "unknown_limit", field: "limits.api_cals_per_month"),
            Wrong(
                path: "/v1/customers", body: #"{"id":"x","tme_zone":"UTC"}"#, status: 422,
                code: "unknown_member", field: "tme_zone"),
            Wrong(
                path: "/v1/customers", body: #"{"id":"x","time_zone":"Mars/Olympus"}"#,
                status: 422, code: "unknown_time_zone", field: "time_zone"),
            Wrong(path: "/v1/customers", body: #"{"id":"x""#, status: 400, code: "malformed_json"),
            Wrong(
                method: "DELETE", path: "/v1/plans/basic", body: "", status: 409, code: "in_use"),
        ]

        @Test func wrongCommandsNameTheFieldAndChangeNothing() async throws {
            let server = try TollgateServer(catalog: ControlCatalog.yaml)
            try await server.start()
            try await server.change("PUT", "/v1/customers/acme", "{}")
            try await server.change("PUT", "/v1/customers/child", #"{"parent":"acme"}"#)
            try await server.change(
                "POST", "/v1/subscriptions",
                #"{"id":"s1","customer":"acme","plan":"basic","start":"2026-01-15"}"#)
            let rows = try await server.audit().count
            for wrong in Self.commands {
                let answer = try await server.send(wrong.method, wrong.path, wrong.body)
                let problem = try answer.document()
                #expect(answer.status == wrong.status, "\(wrong.body): \(answer.text)")
                #expect(problem["code"]?.text == wrong.code, "\(wrong.body): \(answer.text)")
                if let field = wrong.field {
                    #expect(problem["field"]?.text == field, "\(wrong.body): \(answer.text)")
                }
                #expect(answer.headers["content-type"] == "application/problem+json")
            }
            #expect(try await server.audit().count == rows)

            let tag = try await server.get("/v1/customers/acme").headers["etag"]
            let stale = try #require(tag)
            try await server.change(
                "PATCH", "/v1/customers/acme", #"{"name":"Acme"}"#, headers: ["If-Match": stale])
            let late = try await server.send(
                "PATCH", "/v1/customers/acme", #"{"name":"Other"}"#, headers: ["If-Match": stale])
            #expect(late.status == 412, "\(late.text)")
        }

        @Test func anImportWithABrokenLineAppliesNothing() async throws {
            let server = try TollgateServer(catalog: ControlCatalog.yaml)
            try await server.start()
            func line(_ number: Int) -> String {
                #"{"id":"c\#(number)","subjects":["k\#(number)"],"subscription":{"plan":"basic","start":"2026-01-01"}}"#
            }
            var lines = (1...10_000).map(line)
            lines[6_999] = #"{"id":"c7000","subscription":{"plan":"no_such_plan"}}"#
            let refused = try await server.send(
                "POST", "/v1/customers:import?id=i1&expected_count=10000",
                lines.joined(separator: "\n"), type: "application/x-ndjson")
            #expect(refused.status == 422, "\(refused.text.prefix(500))")
            let error = try refused.document()["errors"]?.elements?.first
            #expect(error?["line"]?.integer == 7_000, "\(refused.text.prefix(500))")
            #expect(try await server.check("c1", "api_calls").reason == "unknown_customer")

            lines[6_999] = line(7_000)
            let body = lines.joined(separator: "\n")
            let short = try await server.send(
                "POST", "/v1/customers:import?id=i2&expected_count=9999", body,
                type: "application/x-ndjson")
            #expect(short.status == 409, "\(short.text.prefix(500))")
            let done = try await server.send(
                "POST", "/v1/customers:import?id=i2&expected_count=10000", body,
                type: "application/x-ndjson")
            #expect(done.status == 200, "\(done.text.prefix(500))")
            #expect(try await server.check("c10000", "api_calls").limit == 100)
            try await server.killAndRestart()
            #expect(try await server.check("c10000", "api_calls").limit == 100)
            try await server.change("POST", "/v1/imports/i2/rollback?reason=test")
            #expect(try await server.check("c10000", "api_calls").reason == "unknown_customer")
        }

        @Test func onlySignedEventsOfStripeAreTaken() async throws {
            let secret = "whsec_integration_test_secret"
            let folder = try TestFolder()
            let file = try folder.file("stripe.secret", secret + "\n")
            let server = try TollgateServer(
                catalog: ControlCatalog.yaml, extra: ["--stripe-webhook-secret-file", file])
            try await server.start()
            let now = Int64(Date().timeIntervalSince1970)
            func event(_ id: String, _ plan: String, seats: Int, status: String = "active")
                -> String
            {
                #"""
                {"id":"\#(id)","object":"event","type":"customer.subscription.updated","created":\#(now),
                 "data":{"object":{"id":"sub_1","object":"subscription","customer":"cus_1",
                 "status":"\#(status)","metadata":{"tollgate_customer":"acme"},
                 "start_date":\#(now - 86_400),"items":{"data":[
                 {"id":"si_1","quantity":1,"price":{"id":"price_\#(plan)"}},
                 {"id":"si_2","quantity":\#(seats),"price":{"id":"price_seats"}}]}}}}
                """#
            }
            func post(_ body: String, at: Int64, key: String) async throws -> HTTPAnswer {
                let code = HMAC<SHA256>.authenticationCode(
                    for: Data("\(at).\(body)".utf8), using: SymmetricKey(data: Data(key.utf8)))
                let hex = code.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                return try await server.send(
                    "POST", "/v1/webhooks/stripe", body,
                    headers: ["Stripe-Signature": "t=\(at),v1=\(hex)"])
            }
            let first = event("evt_1", "basic", seats: 30)
            #expect(try await post(first, at: now, key: "whsec_other").status == 400)
            #expect(try await post(first, at: now - 3_600, key: secret).status == 400)
            #expect(try await server.check("acme", "api_calls").reason == "unknown_customer")
            let taken = try await post(first, at: now, key: secret)
            #expect(taken.status == 200, "\(taken.text)")
            #expect(try await server.check("acme", "api_calls").limit == 100)
            #expect(try await server.check("acme", "seats").limit == 30)
            let rows = try await server.audit().count
            #expect(try await post(first, at: now, key: secret).status == 200)
            #expect(try await server.audit().count == rows)
            let second = try await post(event("evt_2", "pro", seats: 60), at: now, key: secret)
            #expect(second.status == 200, "\(second.text)")
            #expect(try await server.check("acme", "api_calls").limit == 1_000)
            #expect(try await server.check("acme", "seats").limit == 60)
        }

        @Test func payloadsOfVendorsProvision() async throws {
            let server = try TollgateServer(catalog: ControlCatalog.yaml)
            try await server.start()
            let first = try await server.change(
                "POST", "/v1/entitlements",
                #"""
                {"account_id":"acct_1","plan":"pro","features":["reports"],
                 "limits":{"seats":-1,"api_calls_per_month":2000},
                 "expires_at":"2027-01-01T00:00:00Z"}
                """#)
            #expect(try await server.check("acct_1", "api_calls").limit == 2_000)
            #expect(try await server.check("acct_1", "seats", 100_000)["unlimited"]?.flag == true)
            #expect(try await server.check("acct_1", "reports").isAllowed == true)
            #expect(first["changed"]?.integer ?? 0 > 0)
            try await server.change(
                "POST", "/v1/entitlements",
                #"""
                {"account_id":"acct_2","product":"suite","features":["sso"],
                 "license_type":"subscription","seats":12,"start_date":"2026-01-01",
                 "end_date":"2026-11-20"}
                """#)
            #expect(try await server.check("acct_2", "sso").reason == "expired")
            let third = #"""
                {"customer_id":"cust_3","product":"suite","seats":7,"term_end":"2030-12-31",
                 "features":["sso"]}
                """#
            try await server.change("POST", "/v1/entitlements", third)
            #expect(try await server.check("cust_3", "seats").limit == 7)
            #expect(try await server.check("cust_3", "sso").isAllowed == true)
            let again = try await server.change("POST", "/v1/entitlements", third)
            #expect(again["changed"]?.integer == 0, "\(again)")
        }
    }
}
