import BillingExport
import MeteringModel
import MeteringPorts
import SQLBilling
import Testing

@Suite("Export desk") struct ExportServiceTests {
    private let tokens = ReportedMeter(
        meter: "tokens", aggregation: .sum, scale: 0, eventName: "llm_tokens",
        windowSeconds: 3_600)

    private func service(_ bench: ExportBench, _ store: SQLBilling) -> ExportService {
        ExportService(
            store: store,
            exporter: StatementExporter(
                billing: store, exports: store, issuer: "x", clock: bench.clock,
                counters: ExportCounters(), makeDigest: { TestDigest() }),
            resolver: MeterEventResolver(
                store: store, identifier: MeterEventIdentifier(hash: bench.hash)),
            clock: bench.clock)
    }

    private func resolve(
        _ identifier: String, _ verdict: String, reason: String? = "looked there"
    ) -> ExportCommand {
        ExportCommand(
            operation: .resolve(identifier: identifier, verdict: verdict),
            context: CommandContext(principal: .local, requestID: "r1", reason: reason))
    }

    @Test("a refused event is sent again under a new identifier, once") func resend() async throws {
        let bench = try ExportBench(now: "2026-11-10T01:20:00Z")
        let start = Timestamp.at("2026-11-10T00:00:00Z")
        let store = try bench.openStore()
        defer { store.close() }
        let stripe = StripeStandIn(clock: bench.clock)
        let planning = bench.planning(store, bench.source([tokens], ["unknown"]), from: start)
        bench.use("unknown", "tokens", 4, at: start)
        try await planning.sweep()
        _ = try await bench.sender(store, stripe).round()
        let service = service(bench, store)
        let listed = try await service.read(
            ExportQuery(
                subject: .meterEvents(state: "refused", customer: nil), principal: .local))
        let item = try #require(listed.body["items"]?.elements?.first)
        let identifier = try #require(item["identifier"]?.text)
        #expect(item["value"] == .integer(4))
        let first = try await service.perform(resolve(identifier, "resend"))
        let again = try await service.perform(resolve(identifier, "resend"))
        #expect(first.body["identifier"] == again.body["identifier"])
        #expect(first.body["revision"] == .integer(2))
        #expect(first.body["state"] == .string("planned"))
        let old = try #require(try store.meterEvent(identifier))
        #expect(old.state == .replaced)
        #expect(old.resolution?.reason == "looked there")
        #expect(old.replacedBy == first.body["identifier"]?.text)
        #expect(try await planning.sweep() == 0)
    }

    @Test("what cannot be resolved is said") func problems() async throws {
        let bench = try ExportBench(now: "2026-11-10T01:20:00Z")
        let store = try bench.openStore()
        defer { store.close() }
        let service = service(bench, store)
        func code(_ command: ExportCommand) async -> String? {
            do throws(ControlProblem) {
                _ = try await service.perform(command)
                return nil
            } catch {
                return error.code
            }
        }
        #expect(await code(resolve("x", "maybe")) == "invalid_as")
        #expect(await code(resolve("x", "sent", reason: " ")) == "missing")
        #expect(await code(resolve("x", "sent")) == "unknown_meter_event")
        let bound = Principal(id: "k", scopes: [.readUsage], customer: "acme")
        await #expect(throws: ControlProblem.self) {
            _ = try await service.read(
                ExportQuery(subject: .meterEvents(state: nil, customer: nil), principal: bound))
        }
    }

    @Test("lists come by pages") func pages() async throws {
        let bench = try ExportBench(now: "2026-11-10T09:20:00Z")
        let start = Timestamp.at("2026-11-10T00:00:00Z")
        let store = try bench.openStore()
        defer { store.close() }
        let customers = ["a", "b:c", "d"].map { CustomerID($0) }
        let planning = bench.planning(store, bench.source([tokens], customers), from: start)
        for customer in customers {
            for hour in 0..<3 {
                bench.use(customer, "tokens", 5, at: start.adding(seconds: Int64(hour) * 3_600))
            }
        }
        try await planning.sweep()
        for customer in customers {
            bench.use(customer, "tokens", -9, at: start)
            bench.use(customer, "tokens", -40, at: start)
        }
        try await planning.sweep()
        let service = service(bench, store)
        func all(_ subject: ExportQuery.Subject, limit: Int) async throws -> [JSONValue] {
            var (items, cursor): ([JSONValue], String?) = ([], nil)
            repeat {
                let answer = try await service.read(
                    ExportQuery(
                        subject: subject, principal: .local, cursor: cursor, limit: limit))
                items += answer.body["items"]?.elements ?? []
                cursor = answer.body["next"]?.text
            } while cursor != nil
            return items
        }
        let events = try await all(.meterEvents(state: nil, customer: nil), limit: 2)
        #expect(events.count == 9)
        #expect(Set(events.compactMap { $0["identifier"]?.text }).count == 9)
        #expect(try await all(.meterEvents(state: "planned", customer: "b:c"), limit: 2).count == 3)
        let credits = try await all(.meterCredits(customer: nil), limit: 1)
        #expect(credits.compactMap { $0["customer"]?.text } == ["a", "b:c", "d"])
        #expect(credits.allSatisfy { $0["units"] == .integer(49) })
    }
}
