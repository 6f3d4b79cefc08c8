import Foundation
import MeteringModel
import Testing

extension Integration {
    /// Single events that are taken out, changed and put back, against the program.
    @Suite(.serialized) struct Corrections {
        private static let catalog = """
            meters:
              - {key: tokens, event_type: llm.request, aggregation: sum, value: $.tokens}
              - {key: requests, event_type: llm.request, aggregation: count}
              - {key: peak, event_type: llm.request, aggregation: max, value: $.tokens}
            features:
              - {key: tokens, type: metered, meter: tokens}
            plans:
              - key: small
                entitlements:
                  tokens: {limit: 100, period: lifetime, thresholds: [100%], enforcement: soft}

            """

        private func server() async throws -> TollgateServer {
            let server = try TollgateServer(catalog: Self.catalog)
            try await server.start()
            try await server.customer("acme", plan: "small")
            return server
        }

        private func correct(
            _ server: TollgateServer, _ action: String, _ id: String, _ more: String = ""
        ) async throws -> HTTPAnswer {
            try await server.post(
                "/v1/events/\(action)",
                #"{"source":"money","id":"\#(id)","reason":"wrong"\#(more)}"#)
        }

        private func values(_ server: TollgateServer) async throws -> [String: Int64] {
            Dictionary(
                try await server.totals().map { ($0.meter, $0.value) },
                uniquingKeysWith: { first, _ in first })
        }

        private func expect(
            _ server: TollgateServer, tokens: Int64, requests: Int64, peak: Int64
        ) async throws {
            let expected = ["tokens": tokens, "requests": requests, "peak": peak]
            #expect(try await values(server) == expected)
            let report = try await server.reconcile()
            #expect(report.drifts == [])
        }

        private func openCrossings(_ server: TollgateServer) async throws -> Int {
            try await server.alerts().filter { $0.resolved_at == nil }.count
        }

        @Test func voidedAmendedAndRestoredOverHTTPAndByTheClient() async throws {
            let server = try await server()
            try await server.use(
                [.init("a", "acme", 60), .init("b", "acme", 50), .init("c", "acme", 5)])
            try await expect(server, tokens: 115, requests: 3, peak: 60)
            #expect(try await openCrossings(server) == 1)

            let tried = try await server.post(
                "/v1/events/void?dry_run=true", #"{"source":"money","id":"a","reason":"wrong"}"#)
            #expect(tried.status == 200, "\(tried.text)")
            try await expect(server, tokens: 115, requests: 3, peak: 60)
            let voided = try await correct(server, "void", "a")
            #expect(voided.status == 200, "\(voided.text)")
            try await expect(server, tokens: 55, requests: 2, peak: 50)
            #expect(try await openCrossings(server) == 0)
            // Again: the same answer in effect, counted once.
            #expect(try await correct(server, "void", "a").status == 200)
            try await server.killAndRestart()
            try await expect(server, tokens: 55, requests: 2, peak: 50)

            let amended = try await server.client(
                "events", "amend", "money", "b", "--reason", "counted twice", "--data",
                "tokens=20")
            #expect(amended.output.contains("tokens 50 → 20"), "\(amended)")
            try await expect(server, tokens: 25, requests: 2, peak: 20)
            try await server.killAndRestart()
            _ = try await server.client(
                "events", "restore", "money", "a", "--reason", "was right")
            _ = try await server.client(
                "events", "restore", "money", "b", "--reason", "was right")
            try await expect(server, tokens: 115, requests: 3, peak: 60)
            #expect(try await openCrossings(server) == 1)

            let corrections = try await server.items("/v1/events/corrections?customer=acme")
            #expect(
                corrections.compactMap { $0["action"]?.text } == [
                    "void", "amend", "restore", "restore",
                ])
            let audited = try await server.audit().filter { $0["kind"]?.text == "correction" }
            #expect(audited.count == 4)
            // The same events again are still duplicates.
            try await server.importEvents([
                Array("[\(MoneyFixture.Use("a", "acme", 60).json)]".utf8)
            ])
            try await expect(server, tokens: 115, requests: 3, peak: 60)
            #expect(try await server.stop() == 0)
        }

        @Test func killsAmongCorrectionsChangeNothing() async throws {
            let server = try await server()
            let ids = (1...40).map { "e\($0)" }
            try await server.use(ids.enumerated().map { .init($1, "acme", Int64($0) + 1) })
            let done = Tally()
            async let correcting: Void = onThread {
                var client = PersistentClient(server)
                for (number, id) in ids.enumerated() {
                    let action = number % 2 == 0 ? "void" : "amend"
                    let more = number % 2 == 0 ? "" : #","data":{"tokens":1000}"#
                    let answer = try client.post(
                        "/v1/events/\(action)",
                        Array(
                            #"{"source":"money","id":"\#(id)","reason":"wrong"\#(more)}"#.utf8))
                    // What was applied before the kill and not answered: nothing more to change.
                    guard answer.status == 200 else { throw Unmet(answer.text) }
                    done.add()
                }
            }
            for mark in [5, 15, 25] {
                try await eventually("correction \(mark)") { done.value >= mark ? true : nil }
                try await server.killAndRestart()
            }
            try await correcting
            try await expect(server, tokens: 20_000, requests: 20, peak: 1_000)
            let corrections = try await server.items("/v1/events/corrections")
            #expect(corrections.count == 40)
            #expect(Set(corrections.compactMap { $0["event_id"]?.text }) == Set(ids))
        }

        @Test func whatCannotBeCorrectedIsToldWhy() async throws {
            let server = try await server()
            try await server.use([.init("a", "acme", 60)])
            let cases: [(action: String, id: String, more: String, status: Int, code: String)] = [
                ("void", "nobody", "", 404, "unknown_event"),
                ("amend", "nobody", #","data":{"tokens":1}"#, 404, "unknown_event"),
                ("restore", "a", "", 409, "not_corrected"),
                ("amend", "a", "", 422, "missing"),
                ("amend", "a", #","data":{"tokens":60}"#, 409, "nothing_changed"),
                ("amend", "a", #","data":{"tokens":"many"}"#, 422, "invalid_value"),
                ("amend", "a", #","subject":"stranger""#, 422, "unknown_subject"),
            ]
            for item in cases {
                let answer = try await correct(server, item.action, item.id, item.more)
                #expect(answer.status == item.status, "\(item): \(answer.text)")
                #expect(try answer.document()["code"]?.text == item.code)
            }
            try await expect(server, tokens: 60, requests: 1, peak: 60)
            _ = try await server.client(
                "events", "void", "money", "nobody", "--reason", "wrong", code: 65)
        }
    }
}
