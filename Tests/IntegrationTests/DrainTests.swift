import Foundation
import Testing

extension Integration {
    /// SIGTERM while requests are under way.
    @Suite(.serialized) struct Drain {
        private struct Asked: Sendable {
            var answered: [String] = []
            var open: [String] = []
        }

        @Test func whatWasAnsweredIsInTheLedger() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            let answered = Tally()
            async let asking = ask(server, clients: 16, answered)
            async let posting = postEvents(server, answered)
            try await eventually("answers") { answered.value >= 300 ? true : nil }
            let code = try await server.stop()
            #expect(code == 0, "\(server.child?.errors.suffix(2_000) ?? "")")
            let asked = try await asking
            let events = try await posting

            try await server.start()
            let totals = try await server.totals()
            let calls = totals.first { $0.meter == "calls" }?.value ?? 0
            let requests = totals.first { $0.meter == "requests" }?.value ?? 0
            // Ready means caught up: nothing answered may be missing at the first look.
            #expect(calls >= asked.answered.count)
            #expect(calls <= asked.answered.count + asked.open.count)
            #expect(requests >= events.answered.count)
            #expect(requests <= events.answered.count + events.open.count)
            for id in asked.answered + asked.open {
                let again = try await server.decision("/v1/consume", Self.question(id))
                #expect(again.allowed)
            }
            let all = Int64(asked.answered.count + asked.open.count)
            let settled = try await eventually("the ids asked again") { () -> Int64? in
                let now = try await server.totals().first { $0.meter == "calls" }?.value
                return now == all ? all : nil
            }
            #expect(settled == all)
            #expect(try await server.reconcile().drifts == [])
            #expect(try await server.stop() == 0)
        }

        private static func question(_ id: String) -> String {
            #"{"customer":"c1","feature":"calls","quantity":1,"id":"\#(id)"}"#
        }

        private func ask(
            _ server: TollgateServer, clients: Int, _ tally: Tally
        ) async throws -> Asked {
            try await withThrowingTaskGroup(of: Asked.self) { group in
                for number in 0..<clients {
                    group.addTask {
                        try await Self.requests(server, prefix: "\(number)-", tally) { id in
                            ("/v1/consume", Self.question(id))
                        }
                    }
                }
                return try await group.reduce(into: Asked()) {
                    $0.answered += $1.answered
                    $0.open += $1.open
                }
            }
        }

        private func postEvents(_ server: TollgateServer, _ tally: Tally) async throws -> Asked {
            try await Self.requests(server, prefix: "event-", tally) { id in
                ("/v1/events", BadInput.event(id: #""id":"\#(id)","#))
            }
        }

        /// Asks until the server takes no more.
        private static func requests(
            _ server: TollgateServer, prefix: String, _ tally: Tally,
            _ make: @escaping @Sendable (String) -> (path: String, body: String)
        ) async throws -> Asked {
            try await onThread {
                var asked = Asked()
                let connection = try HTTPConnection(port: server.port)
                for number in 0..<9_000 {
                    let id = prefix + String(number)
                    let (path, body) = make(id)
                    guard
                        let answer = try? connection.send("POST", path, body: Array(body.utf8)),
                        answer.status == 200 || answer.status == 202
                    else {
                        asked.open.append(id)
                        return asked
                    }
                    asked.answered.append(id)
                    tally.add()
                    if answer.headers["connection"] == "close" { return asked }
                }
                return asked
            }
        }
    }
}
