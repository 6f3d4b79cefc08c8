import Entitlements
import MeteringModel
import MeteringPorts
import Rating

/// Checks the closed months of one customer, whose contract and billing history are read once.
struct CustomerCheck {
    /// What was found.
    struct Report {
        var months = 0
        var lines = 0
        var drifts: [JSONValue] = []
        var mismatches: [JSONValue] = []
        var waiting: [JSONValue] = []
    }

    private let customer: CompiledCustomer
    private let history: BilledHistory
    private let snapshot: CatalogSnapshot
    private let maker: StatementMaker
    private let account: Result<FeeAccount?, BillingError>
    private let frames: [MonthFrame]

    /// - Parameters:
    ///   - month: nil: all that are closed.
    ///   - maker: with the sources that everything else is read from.
    init(
        _ customer: CompiledCustomer, _ history: BilledHistory, _ closed: ClosedMonths,
        _ month: BillingMonth?, maker: StatementMaker, in snapshot: CatalogSnapshot
    ) throws(BillingError) {
        self.customer = customer
        self.history = history
        self.snapshot = snapshot
        self.maker = maker
        do throws(BillingError) {
            account = .success(try maker.fees.account(of: customer, snapshot, customer.zone))
        } catch {
            if error.code != .unrateable { throw error }
            account = .failure(error)
        }
        let known = Set(history.statements.map(\.month))
        frames = try closed.months(of: customer, from: month) { known.contains($0) }
            .filter { month == nil || month == $0 }
            .map { maker.sources.frame(of: customer, $0, among: history.statements).frame }
    }

    /// The usage rows that the report takes.
    var keys: [UsageKey] {
        frames.flatMap { frame in
            UsageCharges(maker.sources, snapshot, customer, frame).keys(dueBefore: nil)
                + EntitlementComparison.keys(customer, in: frame)
        }
    }

    func report(_ usage: KnownUsage) throws(BillingError) -> Report {
        var report = Report()
        for frame in frames { try compare(frame, usage, &report) }
        return report
    }

    private func compare(
        _ frame: MonthFrame, _ usage: KnownUsage, _ report: inout Report
    ) throws(BillingError) {
        let month = frame.month
        let billed = history.billed(month)
        report.months += 1
        report.lines += billed.count
        let (draft, account): (StatementMaker.Draft, FeeAccount?)
        do throws(BillingError) {
            draft = try maker.draft(
                of: customer, frame, in: snapshot,
                ReadAhead(usage: usage, account: self.account, makesDocuments: false))
            account = try self.account.get()
        } catch  where error.code == .unrateable {
            report.mismatches.append(
                mismatch("unrateable", month, ["detail": .string(error.message)]))
            return
        }
        var difference = MonthDifference(customer: customer.id, month: month)
        difference.add(billed: billed)
        difference.add(due: draft.lines)
        let causes = history.marks.map(\.mark).filter { $0.month == month }.map(\.cause)
        if causes.isEmpty {
            report.drifts += difference.drifts.map { document(month, $0) }
        } else {
            report.waiting.append(
                .object([
                    "customer": .string(customer.id.rawValue),
                    "month": .string(month.description), "causes": LineDocument.causes(causes),
                    "lines_that_differ": .integer(difference.drifts.count),
                ]))
        }
        let comparison = EntitlementComparison(
            sources: maker.sources, snapshot: snapshot, customer: customer, account: account,
            history: history, usage: usage)
        report.mismatches += try comparison.mismatches(in: frame)
            .map { mismatch($0.kind, month, $0.members) }
    }

    private func document(
        _ month: BillingMonth, _ drift: (line: StatementLine, billed: Int64, due: Int64)
    ) -> JSONValue {
        let (line, currency) = (drift.line, drift.line.currency)
        return .members([
            "customer": .string(customer.id.rawValue), "month": .string(month.description),
            "key": .string(line.key), "feature": line.feature.map { .string($0.rawValue) },
            "item": line.item.map { .string($0) }, "currency": .string(currency.code),
            "billed": LineDocument.money(drift.billed, currency),
            "rated": LineDocument.money(drift.due, currency),
        ])
    }

    private func mismatch(
        _ kind: String, _ month: BillingMonth, _ members: [String: JSONValue]
    ) -> JSONValue {
        var all = members
        all["kind"] = .string(kind)
        all["customer"] = .string(customer.id.rawValue)
        all["month"] = .string(month.description)
        return .object(all)
    }
}
