import Foundation
import MeteringModel
import Testing

extension Integration {
    /// A month of the real trace under five price models, against arithmetic of its own: closed,
    /// then late events, voided and amended ones, a back-dated plan, its undo, and kill -9.
    @Suite(.serialized) struct TraceStatements {
        private static let customers = ["flat", "unit", "graduated", "volume", "package"]

        /// Statement amounts in cents by independent whole-number arithmetic.
        private enum Expected {
            static func cents(_ plan: String, _ tokens: Int) -> Int {
                switch plan {
                case "flat": 4_990
                case "unit": rounded(tokens * 137, per: 100_000)
                case "graduated": rounded(graduated(tokens), per: 10_000)
                case "volume":
                    rounded(
                        tokens * (tokens <= 1_000_000 ? 20 : tokens <= 2_000_000 ? 15 : 10),
                        per: 10_000)
                case "package": rounded((max(0, tokens - 500_000) + 999) / 1_000 * 173, per: 100)
                default: 0
                }
            }

            /// Millionths of a euro.
            private static func graduated(_ tokens: Int) -> Int {
                let first = min(tokens, 1_000_000)
                let second = min(max(0, tokens - 1_000_000), 2_000_000)
                let third = max(0, tokens - 3_000_000)
                return first * 20 + second * 15 + third * 10 + (tokens > 1_000_000 ? 2_500_000 : 0)
            }

            /// Halves away from zero; nothing here is negative.
            private static func rounded(_ value: Int, per unit: Int) -> Int {
                (value * 2 + unit) / (unit * 2)
            }
        }

        private static let catalog = """
            meters:
              - {key: tokens, event_type: llm.request, aggregation: sum, value: $.total_tokens}
            features:
              - {key: tokens, type: metered, meter: tokens, counting: events}
            plans:
              - key: flat
                currency: EUR
                entitlements:
                  tokens: {limit: unlimited, period: month, enforcement: soft, price: {flat: "49.90"}}
              - key: unit
                currency: EUR
                entitlements:
                  tokens: {limit: unlimited, period: month, enforcement: soft, price: {unit: "0.0000137"}}
              - key: graduated
                currency: EUR
                entitlements:
                  tokens:
                    limit: 3000000
                    period: month
                    enforcement: soft
                    thresholds: [80%, 100%]
                    price: {graduated: [{up_to: 1000000, unit: "0.00002"},
                      {up_to: 3000000, unit: "0.000015", flat: "2.50"}, {unit: "0.00001"}]}
              - key: volume
                currency: EUR
                entitlements:
                  tokens:
                    limit: unlimited
                    period: month
                    enforcement: soft
                    price: {volume: [{up_to: 1000000, unit: "0.00002"},
                      {up_to: 2000000, unit: "0.000015"}, {unit: "0.00001"}]}
              - key: package
                currency: EUR
                entitlements:
                  tokens:
                    limit: 500000
                    period: month
                    enforcement: soft
                    price: {package: {size: 1000, amount: "0.0173"}, included: limit}
            customers:

            """
            + customers.map {
                "  - {id: \($0), subjects: [key_\($0)], subscription: {plan: \($0), "
                    + "start: 2025-01-01}}\n"
            }.joined()

        /// The tenth of last month, midnight UTC, and that month's name.
        private static func lastMonth() -> (month: String, day: Timestamp) {
            let now = Timestamp(seconds: Int64(Date().timeIntervalSince1970))
            let month = BillingMonth(containing: now, zone: .utc).previous
            return ("\(month)", month.period(zone: .utc).start.adding(seconds: 9 * 86_400))
        }

        private struct Row {
            var customer: String
            var tokens: Int
            var id: String
            var at: Timestamp
        }

        private static func rows(from day: Timestamp) throws -> [Row] {
            let path = Places.repository() + "/deploy/data/azure_llm_code_2023.csv"
            return try String(contentsOfFile: path, encoding: .utf8)
                .split(whereSeparator: \.isNewline).dropFirst().enumerated().map { index, line in
                    let cells = line.split(separator: ",")
                    let (context, made) = (Int(cells[1]) ?? 0, Int(cells[2]) ?? 0)
                    return Row(
                        customer: customers[index % customers.count], tokens: context + made,
                        id: "row-\(index)", at: day.adding(seconds: Int64(index)))
                }
        }

        private static func event(
            _ id: String, _ customer: String, _ tokens: Int, _ at: Timestamp
        ) -> String {
            #"{"specversion":"1.0","id":"\#(id)","source":"trace","type":"llm.request","#
                + #""subject":"key_\#(customer)","time":"\#(at.rfc3339())","#
                + #""data":{"total_tokens":\#(tokens)}}"#
        }

        private static func send(_ events: [String], to server: TollgateServer) async throws {
            for start in stride(from: 0, to: events.count, by: 1_000) {
                let part = events[start..<min(start + 1_000, events.count)]
                let answer = try await server.post(
                    "/v1/events", "[" + part.joined(separator: ",") + "]",
                    type: "application/cloudevents-batch+json")
                #expect(answer.status == 202, "\(answer.text)")
            }
        }

        private static func statement(
            _ server: TollgateServer, _ customer: String, _ month: String
        ) async throws -> Document {
            try await server.get("/v1/customers/\(customer)/statements/\(month)").document()
        }

        /// What all lines of the month came to: its own, and those that correct it in the month now.
        private static func billed(
            _ server: TollgateServer, _ customer: String, _ month: String
        ) async throws -> Int {
            let now = Timestamp(seconds: Int64(Date().timeIntervalSince1970))
            let current = "\(BillingMonth(containing: now, zone: .utc))"
            let own = try await statement(server, customer, month)["lines"]?.elements ?? []
            let later = try await statement(server, customer, current)["lines"]?.elements ?? []
            let corrections = later.filter { $0["kind"]?.text == "adjustment" }
            return (own + corrections).reduce(0) { $0 + Int($1["amount_minor"]?.integer ?? 0) }
        }

        private static func expect(
            _ totals: [String: Int], _ server: TollgateServer, _ month: String, _ step: String,
            except customer: String? = nil
        ) async throws {
            for plan in customers where plan != customer {
                let expected = Expected.cents(plan, totals[plan] ?? 0)
                let billed = try await eventually("\(step): \(plan)") { () -> Int? in
                    let found = try await Self.billed(server, plan, month)
                    return found == expected ? found : nil
                }
                #expect(billed == expected, "\(step): \(plan)")
            }
        }

        private static func expectNoDrift(_ server: TollgateServer) async throws {
            let check = try await server.get("/v1/billing/check").document()
            #expect(check["drifts"]?.elements?.isEmpty == true, "\(check)")
            #expect(try await server.reconcile().drifts.isEmpty)
        }

        @Test func fiveModelsEqualTheirArithmeticThroughEveryCorrection() async throws {
            let (month, day) = Self.lastMonth()
            let rows = try Self.rows(from: day)
            var totals = Dictionary(rows.map { ($0.customer, $0.tokens) }, uniquingKeysWith: +)
            let folder = try TestFolder()
            let configuration = try folder.file("serve.yaml", "billing-grace-hours: 2000\n")
            let server = try TollgateServer(
                catalog: Self.catalog,
                extra: ["--config", configuration, "--dedupe-days", "100"])
            try await server.start()
            try await Self.send(
                rows.map { Self.event($0.id, $0.customer, $0.tokens, $0.at) }, to: server)
            try await Self.expect(totals, server, month, "in grace")

            try await server.change(
                "POST", "/v1/billing/months/\(month)/close", #"{"reason":"month end"}"#)
            let again = try await server.send(
                "POST", "/v1/billing/months/\(month)/close", #"{"reason":"once more"}"#)
            #expect(again.status == 409)
            #expect(try again.document()["code"]?.text == "already_closed")
            try await Self.expect(totals, server, month, "closed")

            // From here on the month's grace is over.
            try await server.killAtOnce()
            _ = try folder.file("serve.yaml", "billing-grace-hours: 0\n")
            try await server.start()
            try await Self.send(
                Self.customers.map { Self.event("late", $0, 123_457, day.adding(seconds: 86_400)) }
                    .enumerated().map { index, event in
                        event.replacing("\"late\"", with: "\"late-\(index)\"")
                    }, to: server)
            for customer in Self.customers { totals[customer, default: 0] += 123_457 }
            try await Self.expect(totals, server, month, "late events")

            for row in rows.prefix(5) {
                try await server.change(
                    "POST", "/v1/events/void",
                    #"{"source":"trace","id":"\#(row.id)","reason":"sent by mistake"}"#)
                totals[row.customer, default: 0] -= row.tokens
            }
            let amended = rows[5]
            try await server.change(
                "POST", "/v1/events/amend",
                #"""
                {"source":"trace","id":"\#(amended.id)","reason":"counted twice",
                 "data":{"total_tokens":1}}
                """#)
            totals[amended.customer, default: 0] += 1 - amended.tokens
            try await server.killAndRestart()
            try await Self.expect(totals, server, month, "corrections")

            try await changesPlanInMidHour(server, rows, totals, month, day)
            try await Self.expectNoDrift(server)
        }

        /// The graduated customer had another plan from 00:30 on, and then did not.
        private func changesPlanInMidHour(
            _ server: TollgateServer, _ rows: [Row], _ totals: [String: Int], _ month: String,
            _ day: Timestamp
        ) async throws {
            let cut = day.adding(seconds: 1_800)
            // Row 2 is voided; no row of this customer was amended.
            let before = rows.filter {
                $0.customer == "graduated" && $0.at < cut && $0.id != "row-2"
            }.reduce(0) { $0 + $1.tokens }
            let all = totals["graduated"] ?? 0
            let changed = try await server.change(
                "PATCH",
                "/v1/subscriptions/graduated:default?effective_at=\(cut.rfc3339())&reason=amended",
                #"{"plan":"unit"}"#)
            let request = try #require(changed["change"]?["request_id"]?.text)
            // Of the second part nothing is rounded but the difference.
            let second = (all - before) * 137
            let expected =
                Expected.cents("graduated", before) + (second * 2 + 100_000) / 200_000
            try await eventually("the back-dated plan") { () -> Bool? in
                try await Self.billed(server, "graduated", month) == expected ? true : nil
            }
            try await Self.expect(
                totals, server, month, "others after the plan", except: "graduated")
            try await server.change(
                "POST", "/v1/changes/\(request)/undo", #"{"reason":"not agreed after all"}"#)
            try await Self.expect(totals, server, month, "undone")
        }
    }
}
