import Foundation
import Testing

extension Integration {
    /// The ledger is made of the log: losing it loses nothing that the log has.
    @Suite(.serialized) struct LostLedger {
        private let ask = #"{"customer":"c3","feature":"seats","quantity":7,"id":"order-17"}"#

        @Test func admissionsAndAnswersComeBackFromTheLog() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            #expect(try await server.decision("/v1/consume", ask).allowed)
            let expected: Set = [Totals.Row(customer: "c3", meter: "seats", count: 1, value: 7)]
            #expect(try await server.settled(expected) == expected)
            try await server.killAtOnce()

            try remove(server, { $0.hasPrefix("ledger.db") })
            try await server.start()
            #expect(try await server.settled(expected) == expected)
            let again = try await server.decision("/v1/consume", ask)
            #expect(again.allowed && again.used == 7)
            #expect(try await server.settled(expected) == expected)
            #expect(try await server.reconcile().drifts == [])
        }

        @Test func aJournalWhoseKeyIsLostIsRefused() async throws {
            let server = try TollgateServer(catalog: TraceFixture.catalog)
            try await server.start()
            #expect(try await server.decision("/v1/consume", ask).allowed)
            try await server.killAtOnce()

            try remove(server, { $0.hasPrefix("ledger.db") || $0 == "installation.key" })
            let ended = try await run(
                try Places.program(),
                [
                    "serve", "--data-dir", server.dataDirectory, "--http", "127.0.0.1:0",
                    "--admin", "127.0.0.1:0",
                ], folder: server.folder, environment: [:])
            #expect(ended.code != 0)
            #expect(ended.errors.contains("installation.key is missing"), "\(ended.errors)")
        }

        private func remove(_ server: TollgateServer, _ matches: (String) -> Bool) throws {
            let manager = FileManager.default
            for name in try manager.contentsOfDirectory(atPath: server.dataDirectory)
            where matches(name) {
                try manager.removeItem(atPath: server.dataDirectory + "/" + name)
            }
        }
    }
}
