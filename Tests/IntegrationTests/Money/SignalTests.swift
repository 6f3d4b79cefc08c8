import Foundation
import MeteringModel
import Testing

extension Integration {
    /// Signals, and plans tried on past usage, with real answers of the program.
    @Suite(.serialized) struct Signals {
        private static let catalog = """
            meters:
              - {key: tokens, event_type: llm.request, aggregation: sum, value: $.tokens}
            features:
              - {key: tokens, type: metered, meter: tokens}
            plans:
              - key: pro
                entitlements:
                  tokens: {limit: 1000, period: year, thresholds: [80%, 100%], enforcement: soft}

            """

        @Test func aSignalIsListedAcknowledgedAndStaysSo() async throws {
            let server = try TollgateServer(catalog: Self.catalog)
            try await server.start()
            try await server.customer("acme", plan: "pro")
            try await server.customer("calm", plan: "pro")
            try await server.use([.init("a", "acme", 900), .init("b", "calm", 5)])
            for customer in ["acme", "calm"] {
                try await server.change("POST", "/v1/signals/refresh?customer=\(customer)", "{}")
            }
            let found = try await server.items("/v1/signals?kind=near_limit")
            #expect(found.count == 1)
            let signal = try #require(found.first)
            #expect(signal["customer"]?.text == "acme")
            #expect(
                signal["reason"]?.text?.contains("900 of its 1,000 tokens (90 %)") == true,
                "\(signal)")
            let id = try #require(signal["id"]?.text)
            let list = try await server.client("signals", "--kind", "near_limit")
            #expect(list.output.contains(id), "\(list)")

            let assigned = try await server.client(
                "signals", "assign", id, "--owner", "kim", "--reason", "her account")
            #expect(assigned.errors.contains("kim"), "\(assigned)")
            _ = try await server.client("signals", "note", id, "called them")
            _ = try await server.client("signals", "ack", id)
            #expect(try await server.items("/v1/signals?kind=near_limit").isEmpty)

            try await server.killAndRestart()
            try await server.change("POST", "/v1/signals/refresh?customer=acme", "{}")
            #expect(try await server.items("/v1/signals?kind=near_limit").isEmpty)
            let all = try await server.items("/v1/signals?kind=near_limit&state=all")
            #expect(all.first?["state"]?.text == "acknowledged", "\(all)")
            #expect(all.first?["owner"]?.text == "kim")
            let audited = try await server.audit().filter { $0["kind"]?.text == "signal" }
            #expect(audited.count == 3)
            let unknown = try await server.send("POST", "/v1/signals/none/acknowledge", "{}")
            #expect(unknown.status == 404, "\(unknown.text)")
        }

        @Test func aDraftIsTriedOnLastMonthAndChangesNothing() async throws {
            let month = MoneyFixture.month(before: 1)
            let next = MoneyFixture.month(before: 0)
            let server = try await StatementFiles.server(month)
            let before = try await server.get("/v1/catalog")
            let draft = try server.folder.file(
                "draft.yaml",
                StatementFiles.catalog.replacing("\"0.10\"", with: "\"0.20\"")
                    .replacing("fee: 49", with: "fee: 59.5"))
            let range = ["--from", month.name + "-01", "--to", next.name + "-01"]
            let told = try await server.client(
                "simulate-plan", "-f", draft, range[0], range[1], range[2], range[3], "--json")
            let documents = try told.output.split(separator: "\n").map {
                try JSONParser.parse(Array($0.utf8))
            }
            let acme = try #require(documents.first { $0["customer"]?.text == "acme" })
            let money = try #require(acme["revenue"]?.elements?.first)
            // 49 + 1,500 × 0.10; 59.50 + 1,500 × 0.20.
            #expect(money["live"]?["total"]?.text == "199.00", "\(acme)")
            #expect(money["draft"]?["total"]?.text == "359.50", "\(acme)")
            #expect(money["difference"]?.text == "160.50", "\(acme)")
            let total = try #require(documents.last)
            #expect(total["total"]?.flag == true && total["customers"]?.integer == 3)
            let dollars = total["revenue"]?.elements?.first { $0["currency"]?.text == "USD" }
            #expect(dollars?["difference"]?.text == "0.00", "\(total)")
            let table = try await server.client(
                "simulate-plan", "-f", draft, range[0], range[1], range[2], range[3])
            #expect(table.output.contains("160.50"), "\(table)")
            #expect(try await server.get("/v1/catalog").body == before.body)

            let bad = try server.folder.file(
                "bad.yaml", StatementFiles.catalog.replacing("fee: 49", with: "fee: -49"))
            let refused = try await server.client(
                "simulate-plan", "-f", bad, range[0], range[1], range[2], range[3], code: 65)
            #expect(refused.errors.contains("must not be negative"), "\(refused)")
        }
    }
}
