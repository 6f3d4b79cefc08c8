import Entitlements
import Foundation
import Logging
import MeteringModel
import MeteringPorts
import SQLBilling
import SQLLedger
import Testing

@testable import Billing

/// A folder that goes away with its owner.
final class TemporaryFolder: Sendable {
    let path: String
    init() throws {
        path = NSTemporaryDirectory() + "tollgate-billing-" + UUID().uuidString
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }
    deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// Billing over a real ledger and a real billing store, with contracts and time as a test says.
final class Shop {
    let folder: TemporaryFolder
    let clock: TestClock
    let book: ContractBook
    let ledger: SQLLedger
    let usage: UsageBook
    let store: SQLBilling
    var settings = BillingSettings()
    private(set) var engine: BillingEngine
    private(set) var sources: BillingSources

    init(_ catalog: Catalog, now: String, settings: BillingSettings = BillingSettings()) throws {
        folder = try TemporaryFolder()
        clock = TestClock(now)
        book = try ContractBook(catalog)
        ledger = try SQLLedger(path: folder.path + "/ledger.db")
        usage = try UsageBook(ledger, book.current, graceSeconds: settings.graceSeconds)
        store = try SQLBilling(path: folder.path + "/billing.db")
        self.settings = settings
        sources = Self.sources(book, ledger, usage, store, clock, settings)
        engine = BillingEngine(sources)
    }

    private static func sources(
        _ book: ContractBook, _ ledger: SQLLedger, _ usage: UsageBook,
        _ store: any BillingStore, _ clock: TestClock, _ settings: BillingSettings
    ) -> BillingSources {
        BillingSources(
            catalog: book.current, contracts: book.source, queries: ledger, cumulative: usage,
            store: store, limits: { _ in { quota, _, _ in Self.limit(quota) } },
            zone: { Zones.rules($0) }, completeTo: { clock.now }, clock: clock.wall,
            settings: settings, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Grants are all there: none is used up in these tests.
    private static func limit(_ quota: Quota) -> Limit {
        quota.grants.reduce(quota.limit) { limit, grant in
            limit.finite.map { .finite($0 + grant.terms.amount) } ?? .unlimited
        }
    }

    /// The process is gone; another one goes on with the same files.
    func restart(_ faulty: FaultyStore? = nil) {
        sources = Self.sources(book, ledger, usage, faulty ?? store, clock, settings)
        engine = BillingEngine(sources)
    }

    var service: BillingService { BillingService(sources, engine: engine, events: nil) }

    // MARK: what happens

    func customer(_ id: CustomerID, zone: String = "Europe/Berlin", more: String = "") throws {
        try book.change(
            .customer, id.rawValue, id,
            json(#"{"id":"\#(id)","time_zone":"\#(zone)"\#(more)}"#), request: "make-\(id)",
            at: clock.now, publishes: false)
    }

    func subscribe(
        _ id: CustomerID, plan: String, version: Int = 1, start: String, more: String = "",
        subscription: String? = nil
    ) throws {
        let name = subscription ?? "sub_\(id)"
        try book.change(
            .subscription, name, id,
            json(
                #"{"id":"\#(name)","customer":"\#(id)","plan":"\#(plan)","#
                    + #""version":\#(version),"start":"\#(start)"\#(more)}"#),
            request: "subscribe-\(name)", at: clock.now)
        try usage.restate(now: clock.now)
    }

    func change(
        _ id: CustomerID, _ patch: String, from: String, request: String,
        subscription: String? = nil
    ) throws {
        try book.change(
            .subscription, subscription ?? "sub_\(id)", id, json(patch), from: at(from),
            request: request, at: clock.now)
        try usage.restate(now: clock.now)
    }

    func use(
        _ id: String, _ customer: CustomerID, _ value: Int64, _ time: String,
        meter: MeterKey = "tokens"
    ) throws {
        try usage.record(id, customer, value, at(time), now: clock.now, meter: meter)
    }

    /// A round of the service: follows, adjusts, closes, until nothing is left to do.
    func round() async throws {
        var isBusy = true
        while isBusy {
            let followed = try await engine.follow()
            let adjusted = try await engine.adjust()
            let closed = try await engine.closeDue()
            isBusy = followed + adjusted + closed > 0
        }
    }

    // MARK: what came of it

    /// Everything that was ever billed, on statements and waiting, by currency.
    func billed(_ customer: CustomerID) throws -> [Currency: Int64] {
        var lines = try store.pendingLines(customer)
        for statement in try statements(customer) {
            lines += try store.lines(customer, statement.month)
        }
        return lines.reduce(into: [:]) { $0[$1.currency, default: 0] += $1.amount }
    }

    func statements(_ customer: CustomerID) throws -> [ClosedStatement] {
        try store.statements(customer: customer, month: nil, after: nil, limit: 1_000)
    }

    func lines(_ customer: CustomerID, _ text: String) throws -> [StatementLine] {
        try store.lines(customer, month(text))
    }

    func check() async throws -> JSONValue {
        try await service.read(
            BillingQuery(subject: .check(month: nil, customer: nil), principal: .local)
        ).body
    }
}
