import Foundation
import MeteringModel
import Testing

extension Integration {
    /// The changes that contracts go through, over HTTP against the program.
    @Suite(.serialized) struct ControlScenarios {
        private func server(_ customers: String...) async throws -> TollgateServer {
            let server = try TollgateServer(catalog: ControlCatalog.yaml)
            try await server.start()
            for customer in customers {
                try await server.change("PUT", "/v1/customers/\(customer)", "{}")
            }
            return server
        }

        private func subscribe(
            _ server: TollgateServer, _ customer: String, _ members: String
        ) async throws {
            try await server.change(
                "POST", "/v1/subscriptions",
                #"{"id":"sub-\#(customer)","customer":"\#(customer)",\#(members)}"#)
        }

        @Test func moreSeatsAModuleAndAnAnnualBillMidTerm() async throws {
            let server = try await server("acme")
            try await subscribe(server, "acme", #""plan":"basic","start":"2026-01-15""#)
            for number in 1...25 {
                try await server.change(
                    "POST", "/v1/customers/acme/seats/seats", #"{"holder":"u\#(number)"}"#)
            }
            let full = try await server.send(
                "POST", "/v1/customers/acme/seats/seats", #"{"holder":"u26"}"#)
            #expect(full.status == 409, "\(full.text)")
            #expect(try full.document()["code"]?.text == "seats_exhausted")
            #expect(try await server.check("acme", "reports").isAllowed == false)

            let changed = try await server.change(
                "PATCH", "/v1/subscriptions/sub-acme",
                #"""
                {"plan":"pro","seats":{"seats":60},"add_ons":["premium"],
                 "billing_frequency":"annual"}
                """#,
                headers: ["Idempotency-Key": "order-4711"])
            #expect(changed["billing_frequency"]?.text == "annual")
            #expect(try await server.check("acme", "reports").isAllowed == true)
            #expect(try await server.check("acme", "api_calls").limit == 1_000)
            let seats = try await server.check("acme", "seats")
            #expect(seats.limit == 60)
            #expect(seats.used == 25)
            try await server.change(
                "POST", "/v1/customers/acme/seats/seats", #"{"holder":"u26"}"#)

            // The same order again: the same answer; with another content: a conflict.
            let again = try await server.change(
                "PATCH", "/v1/subscriptions/sub-acme",
                #"""
                {"plan":"pro","seats":{"seats":60},"add_ons":["premium"],
                 "billing_frequency":"annual"}
                """#,
                headers: ["Idempotency-Key": "order-4711"])
            #expect(again == changed)
            let other = try await server.send(
                "PATCH", "/v1/subscriptions/sub-acme", #"{"plan":"basic"}"#,
                headers: ["Idempotency-Key": "order-4711"])
            #expect(other.status == 409, "\(other.text)")

            try await server.killAndRestart()
            #expect(try await server.check("acme", "seats").used == 26)
            #expect(try await server.check("acme", "seats").limit == 60)
        }

        @Test func anOverdueInvoiceRevokesOnceAndIsReinstated() async throws {
            let server = try await server("acme")
            try await subscribe(server, "acme", #""plan":"pro","start":"2026-01-15""#)
            let revoke = #"""
                {"account_id":"acme","product":"suite","reason":"invoice_overdue",
                 "effective_at":"2026-11-01T00:00:00Z"}
                """#
            #expect(try await server.check("acme", "sso").isAllowed == true)
            var answers: Set<Document> = []
            for _ in 1...3 {
                let answer = try await server.change("POST", "/v1/entitlements/revoke", revoke)
                answers.insert(answer["id"] ?? .null)
            }
            #expect(answers.count == 1)
            let revocations = try await server.get("/v1/revocations?customer=acme").document()
            #expect(revocations["items"]?.elements?.count == 1)
            #expect(try await server.audit().filter { $0["kind"]?.text == "revocation" }.count == 1)
            for feature in ["sso", "api_calls", "seats"] {
                let denied = try await server.check("acme", feature)
                #expect(denied.isAllowed == false)
                #expect(denied.reason == "not_entitled")
            }
            let back = #"{"account_id":"acme","product":"suite","reason":"paid"}"#
            try await server.change("POST", "/v1/entitlements/reinstate", back)
            #expect(try await server.check("acme", "sso").isAllowed == true)
            #expect(try await server.check("acme", "api_calls").limit == 1_000)
        }

        @Test func aBackdatedUpgradeRestatesAndCanBeUndone() async throws {
            let server = try await server("acme")
            try await subscribe(server, "acme", #""plan":"basic","start":"2026-01-15""#)
            #expect(try await server.consume("acme", "api_calls", 100).isAllowed == true)
            #expect(try await server.consume("acme", "api_calls").reason == "exhausted")
            try await eventually("both crossings") {
                try await server.alerts().count == 2 ? true : nil
            }
            let now = Timestamp(seconds: Int64(Date().timeIntervalSince1970))
            let before = now.adding(seconds: -3_600).rfc3339()
            let changed = try await server.change(
                "PATCH", "/v1/subscriptions/sub-acme?effective_at=\(before)", #"{"plan":"pro"}"#)
            let request = try #require(changed["change"]?["request_id"]?.text)
            #expect(changed["change"]?["restatement"] != nil, "\(changed)")
            let allowed = try await server.consume("acme", "api_calls")
            #expect(allowed.isAllowed == true)
            #expect(allowed.limit == 1_000)
            #expect(allowed.used == 101)
            try await eventually("resolved crossings") {
                try await server.alerts().allSatisfy { $0.resolved_at != nil } ? true : nil
            }
            let adjustments = try await server.get("/v1/customers/acme/adjustments").document()
            #expect(adjustments["items"]?.elements?.isEmpty == false, "\(adjustments)")

            try await server.change("POST", "/v1/changes/\(request)/undo?reason=mistake")
            let stopped = try await server.consume("acme", "api_calls")
            #expect(stopped.isAllowed == false)
            #expect(stopped.limit == 100)
            #expect(stopped.used == 101)
        }

        @Test func aTrialEndsAtAnInstantOfAZoneWithSummerTime() async throws {
            let server = try await server()
            try await server.change(
                "PUT", "/v1/customers/berlin", #"{"time_zone":"Europe/Berlin"}"#)
            // 29 March 2026: at 02:00 clocks go to 03:00; the day ends 23 hours after it began.
            try await subscribe(
                server, "berlin", #""plan":"pro","start":"2026-03-01","trial_end":"2026-03-29""#)
            let last = try await server.entitlement("berlin", "sso", at: "2026-03-29T21:59:59Z")
            #expect(last?["allowed"]?.flag == true, "\(String(describing: last))")
            let after = try await server.entitlement("berlin", "sso", at: "2026-03-29T22:00:00Z")
            #expect(after?["allowed"]?.flag != true)
            #expect(try await server.check("berlin", "sso").reason == "expired")

            // And at a second that is about to come.
            try await server.change("PUT", "/v1/customers/soon", "{}")
            let end = Timestamp(seconds: Int64(Date().timeIntervalSince1970) + 4)
            try await subscribe(
                server, "soon",
                #""plan":"basic","start":"2026-03-01","trial_end":"\#(end.rfc3339())""#)
            #expect(try await server.consume("soon", "api_calls").isAllowed == true)
            let denied = try await eventually("the trial's end", within: 20) { () -> Document? in
                let answer = try await server.check("soon", "api_calls")
                return answer.isAllowed == true ? nil : answer
            }
            #expect(denied.reason == "expired")
            #expect(try await server.consume("soon", "api_calls").isAllowed == false)
            #expect(Timestamp(seconds: Int64(Date().timeIntervalSince1970)) >= end)
        }

        @Test func threeChildrenShareAPool() async throws {
            let server = try await server("group")
            try await subscribe(server, "group", #""plan":"basic","start":"2026-01-15""#)
            for child in ["red", "green", "blue"] {
                try await server.change("PUT", "/v1/customers/\(child)", #"{"parent":"group"}"#)
                try await server.change(
                    "POST", "/v1/overrides",
                    #"""
                    {"customer":"\#(child)","feature":"api_calls","reason":"own cap",
                     "value":{"limit":60,"period":"month"}}
                    """#)
            }
            #expect(try await server.consume("red", "api_calls", 60).isAllowed == true)
            let own = try await server.consume("red", "api_calls")
            #expect(own.isAllowed == false)
            #expect(own.limit == 60)
            #expect(try await server.consume("green", "api_calls", 30).isAllowed == true)
            let pool = try await server.consume("blue", "api_calls", 11)
            #expect(pool.isAllowed == false)
            #expect(pool["limiting_customer"]?.text == "group", "\(pool)")
            #expect(try await server.consume("blue", "api_calls", 10).isAllowed == true)
            #expect(try await server.check("group", "api_calls").used == 100)
            try await server.killAndRestart()
            #expect(try await server.check("group", "api_calls").used == 100)
            #expect(try await server.check("blue", "api_calls").isAllowed == false)
            let expected: [(String, Int64)] = [
                ("blue", 10), ("green", 30), ("group", 100), ("red", 60),
            ]
            try await eventually("totals of the tree") {
                let rows = try await server.totals().filter { $0.meter == "calls" }
                let seen = rows.map { ($0.customer, $0.value) }.sorted { $0.0 < $1.0 }
                return seen.elementsEqual(expected, by: ==) ? true : nil
            }
            #expect(try await server.reconcile().drifts == [])
        }

        @Test func aDowngradeBelowTheUsageStopsAndKeepsSeats() async throws {
            let server = try await server("acme")
            try await subscribe(server, "acme", #""plan":"pro","start":"2026-01-15""#)
            #expect(try await server.consume("acme", "api_calls", 500).isAllowed == true)
            for number in 1...30 {
                try await server.change(
                    "POST", "/v1/customers/acme/seats/seats", #"{"holder":"u\#(number)"}"#)
            }
            try await server.change(
                "PATCH", "/v1/subscriptions/sub-acme", #"{"plan":"basic"}"#)
            let calls = try await server.consume("acme", "api_calls")
            #expect(calls.isAllowed == false)
            #expect(calls.limit == 100)
            #expect(calls.used == 500)
            #expect(calls["overage"]?.integer == 400)
            let seats = try await server.check("acme", "seats")
            #expect(seats.isAllowed == false)
            #expect(seats.used == 30)
            let held = try await server.get("/v1/customers/acme/seats/seats?limit=100").document()
            #expect(held["items"]?.elements?.count == 30)
            try await server.change("DELETE", "/v1/customers/acme/seats/seats/u1")
            let refused = try await server.send(
                "POST", "/v1/customers/acme/seats/seats", #"{"holder":"new"}"#)
            #expect(refused.status == 409, "\(refused.text)")
        }
    }
}
