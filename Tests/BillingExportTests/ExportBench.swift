import BillingExport
import Foundation
import Logging
import MeteringModel
import MeteringPorts
import SQLBilling
import Synchronization

/// A real billing.db in a directory of its own, a clock that stands still until it is moved, and
/// usage that the test decides.
final class ExportBench: Sendable {
    private struct State {
        var now: Timestamp
        /// Smallest units by (customer, meter) and hour.
        var usage: [String: [Timestamp: Int64]] = [:]
    }

    let directory: String
    private let state: Mutex<State>
    let hash = KeyHash(k0: 7, k1: 9)
    let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }

    init(now: String) throws {
        guard let now = Timestamp(rfc3339: now) else { throw BenchError() }
        state = Mutex(State(now: now))
        directory = NSTemporaryDirectory() + "tollgate-exports-\(UInt64.random(in: .min ... .max))"
        try FileManager.default.createDirectory(
            atPath: directory, withIntermediateDirectories: true)
    }

    struct BenchError: Error {}

    deinit { try? FileManager.default.removeItem(atPath: directory) }

    var clock: WallClock { WallClock { self.state.withLock { $0.now } } }
    var now: Timestamp { clock.now() }

    func advance(seconds: Int64) { state.withLock { $0.now = $0.now.adding(seconds: seconds) } }

    func openStore() throws -> SQLBilling { try SQLBilling(path: directory + "/billing.db") }

    func use(_ customer: CustomerID, _ meter: MeterKey, _ units: Int64, at instant: Timestamp) {
        let hour = Timestamp(seconds: instant.seconds.floorDivided(by: 3_600) * 3_600)
        state.withLock {
            $0.usage[Self.key(customer, meter), default: [:]][hour, default: 0] += units
        }
    }

    func usage(_ customer: CustomerID, _ meter: MeterKey) -> [Timestamp: Int64] {
        state.withLock { $0.usage[Self.key(customer, meter)] ?? [:] }
    }

    private static func key(_ customer: CustomerID, _ meter: MeterKey) -> String {
        "\(customer)/\(meter)"
    }

    func rollups(_ query: RollupQuery) -> [StoredRollup] {
        usage(query.customer, query.meter)
            .filter { $0.key >= query.from && $0.key < query.to }
            .map {
                StoredRollup(
                    start: $0.key, dimensions: "{}", state: UsageState(count: 1, value: $0.value))
            }
    }

    func source(
        _ meters: [ReportedMeter], _ customers: [CustomerID]
    ) -> MeterEventSource {
        let reported = customers.map {
            ReportedCustomer(stripeCustomer: "cus_\($0)", customer: $0)
        }.sorted { $0.stripeCustomer < $1.stripeCustomer }
        return MeterEventSource(
            meters: { meters },
            customers: { after, limit in
                let page = reported.filter { $0.stripeCustomer > after }.prefix(limit)
                return (Array(page), page.count < limit ? nil : page.last?.stripeCustomer)
            })
    }

    func planning(
        _ store: any ExportStore, _ source: MeterEventSource, from: Timestamp
    ) -> MeterEventPlanning {
        MeterEventPlanning(
            store: store,
            hours: { customers, meter, from, to in
                Dictionary(
                    uniqueKeysWithValues: customers.map { customer in
                        let query = RollupQuery(
                            customer: customer, meter: meter, window: .hour, from: from, to: to)
                        return (customer, self.rollups(query))
                    })
            }, source: source,
            identifier: MeterEventIdentifier(hash: hash), settings: MeterEventSettings(from: from),
            clock: clock, counters: ExportCounters(), logger: logger)
    }

    func sender(
        _ store: any ExportStore, _ stripe: StripeStandIn, from: Timestamp = .distantPast,
        counters: ExportCounters = ExportCounters()
    ) -> MeterEventSender {
        MeterEventSender(
            store: store,
            transport: { (request) async throws(StripeTransportError) in
                try await stripe.transport(request)
            },
            settings: MeterEventSettings(from: from), clock: clock, counters: counters,
            logger: logger, random: { _ in 0 })
    }
}

extension Timestamp {
    /// For literals of tests.
    static func at(_ text: String) -> Timestamp { Timestamp(rfc3339: text) ?? .distantPast }
}
