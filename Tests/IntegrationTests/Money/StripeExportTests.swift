import Foundation
import MeteringModel
import SQLClient
import Testing

extension Integration {
    /// Usage that Stripe is told over a socket, by a process that is killed while it does.
    @Suite(.serialized) struct StripeExport {
        private static let key = "sk_test_integration"
        private static let catalog = """
            meters:
              - {key: tokens, event_type: llm.request, aggregation: sum, value: $.tokens, scale: 1}
            features:
              - {key: tokens, type: metered, meter: tokens}
            plans:
              - key: pay
                entitlements:
                  tokens: {limit: unlimited, period: lifetime, enforcement: soft}
            stripe:
              meters:
                tokens: {event_name: llm_tokens}

            """
        private static let customers = ["c1", "c2", "c3", "c4"]
        private static let hours: ClosedRange<Int64> = 2...6

        private func server(_ site: HTTPStandIn, _ secrets: TestFolder) throws -> TollgateServer {
            let from = MoneyFixture.now.adding(seconds: -10 * 86_400).rfc3339()
            return try TollgateServer(
                catalog: Self.catalog,
                extra: [
                    "--stripe-api-base", site.url,
                    "--stripe-secret-key-file", try secrets.file("key", Self.key + "\n"),
                    "--stripe-export-from", from,
                ])
        }

        /// The begin of the hour that lies so many hours back.
        private func hour(_ back: Int64) -> Timestamp {
            Timestamp(seconds: (MoneyFixture.now.seconds / 3_600 - back) * 3_600)
        }

        /// A minute later, for calls that were under way when their process was killed: their
        /// events are left alone for so long.
        private func passAMinute(_ server: TollgateServer) throws {
            let connection = try SQLConnection(
                path: server.dataDirectory + "/billing.db", options: .init(synchronous: .full))
            try connection.execute(
                "UPDATE meter_events SET due_at = due_at - 61000000 WHERE state = 'planned'")
            connection.close()
        }

        private func expectAll(
            _ site: StripeSite, _ expected: [String: Int64]
        ) async throws {
            try await eventually("everything is told", within: 60) {
                site.sums == expected ? true : nil
            }
            #expect(site.broken.isEmpty, "\(site.broken)")
        }

        @Test func whatStripeTookIsTheUsageOnce() async throws {
            let stripe = StripeSite(key: Self.key) { call in
                switch call {
                case 2: .tooMany
                case 4: .closeAfter
                case 6: .hold
                case 9: .errorBefore
                case 11: .errorAfter
                case 14: .closeBefore
                default: .none
                }
            }
            let site = try await HTTPStandIn.start { await stripe.answer($0) }
            let secrets = try TestFolder()
            let server = try server(site, secrets)
            try await server.start()
            var expected: [String: Int64] = [:]
            var uses: [MoneyFixture.Use] = []
            for (number, customer) in Self.customers.enumerated() {
                let name = "cus_\(customer)"
                try await server.customer(
                    customer, plan: "pay", more: #","external_ids":{"stripe":"\#(name)"}"#)
                for back in Self.hours {
                    let tokens = Int64(number + 1) * 10 + back
                    expected[name, default: 0] += tokens
                    uses.append(
                        .init("\(customer)-\(back)", customer, tokens, at: hour(back)))
                }
            }
            try await server.use(uses)

            // The next start plans what has been used; it is killed in the midst of a call.
            try await server.killAndRestart()
            try await eventually("a call under way") { stripe.isHeld ? true : nil }
            try await server.killAtOnce()
            stripe.release()
            try await eventually("no call under way") { stripe.isIdle ? true : nil }
            try passAMinute(server)
            try await server.start()
            try await expectAll(stripe, expected)
            #expect(stripe.taken.count == Self.customers.count * Self.hours.count)
            try await eventually("all are known to be sent") {
                try await server.items("/v1/exports/stripe?state=planned").isEmpty ? true : nil
            }

            // Later usage of an hour that was told is told as a difference, and nothing else again.
            try await server.use([.init("late", "c1", 7, at: hour(3))])
            expected["cus_c1", default: 0] += 7
            try await server.killAndRestart()
            try await expectAll(stripe, expected)
            // Noted once Stripe's answer is there.
            let rows = try await eventually("what Stripe took is known to be sent") {
                let rows = try await server.items("/v1/exports/stripe?customer=c1")
                return rows.allSatisfy { $0["state"]?.text == "sent" } ? rows : nil
            }
            #expect(rows.count == Self.hours.count + 1)
            #expect(try await server.items("/v1/exports/stripe/credits").isEmpty)
            let listed = try await server.client("exports", "stripe", "list", "--customer", "c1")
            #expect(listed.output.contains("sent"))
            #expect(!listed.output.contains(Self.key))
            #expect(server.child?.errors.contains(Self.key) == false)
            #expect(try await server.stop() == 0)
        }

        @Test func whatStripeRefusesIsListedAndResolvedByHand() async throws {
            let site = try await HTTPStandIn.start { _ in
                .answer(
                    400,
                    body: #"{"error":{"code":"resource_missing","message":"No such customer"}}"#)
            }
            let secrets = try TestFolder()
            let server = try server(site, secrets)
            try await server.start()
            try await server.customer(
                "c1", plan: "pay", more: #","external_ids":{"stripe":"cus_c1"}"#)
            try await server.use([.init("one", "c1", 5, at: hour(2))])
            try await server.killAndRestart()
            let refused = try await eventually("a refused event") {
                try await server.items("/v1/exports/stripe?state=refused").first
            }
            #expect(refused["answer"]?.text?.contains("No such customer") == true, "\(refused)")
            let identifier = try #require(refused["identifier"]?.text)
            let resolved = try await server.client(
                "exports", "stripe", "resolve", identifier, "--as", "sent", "--reason",
                "billed by hand")
            #expect(resolved.output.contains("sent"), "\(resolved)")
            let row = try #require(try await server.items("/v1/exports/stripe?customer=c1").first)
            #expect(row["state"]?.text == "sent")
            #expect(row["resolution"]?["reason"]?.text == "billed by hand")
        }
    }
}
