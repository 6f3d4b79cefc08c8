import Entitlements
import MeteringModel
import MeteringPorts
import Rating

/// Rates one customer's month as it is known now. Writes nothing.
struct StatementMaker: Sendable {
    let sources: BillingSources
    let fees: ContractFees

    init(_ sources: BillingSources) {
        self.sources = sources
        fees = ContractFees(sources.contracts)
    }

    /// What a month comes to.
    struct Draft: Sendable {
        /// Usage by feature and period, then fees by the time they fall due.
        var lines: [StatementLine]
        /// Whether a subscription to a plan with prices holds in the month: then there is a
        /// statement, if only of nothing.
        var isPriced: Bool
    }

    /// Everything that falls due in a month: usage of quota periods that end in it, fees whose
    /// time comes in it.
    /// - Parameters:
    ///   - end: only what is due before; nil: all.
    ///   - ahead: what was read already.
    /// - Throws: `.unavailable` when a store cannot be read, `.unrateable` when the contract or a
    ///   price cannot be rated.
    func draft(
        of customer: CompiledCustomer, _ frame: MonthFrame, dueBefore end: Timestamp? = nil,
        in snapshot: CatalogSnapshot, _ ahead: ReadAhead = ReadAhead()
    ) throws(BillingError) -> Draft {
        guard customer.isBilled else { return Draft(lines: [], isPriced: false) }
        let identity = LineIdentity(customer: customer.id, month: frame.month)
        let charges = UsageCharges(sources, snapshot, customer, frame, ahead.usage)
        var made = try lines(of: try charges.due(before: end))
        guard let account = try account(of: customer, frame, in: snapshot, ahead) else {
            return Draft(
                lines: identity.lines(made, ahead.makesDocuments), isPriced: !made.isEmpty)
        }
        var window = frame.period
        if let end { window.end = min(window.end, max(end, window.start)) }
        do throws(RatingError) {
            made += try FeeRating.lines(account, dueIn: window).map { LineDraft(rated: $0) }
        } catch {
            throw BillingError(.unrateable, "fees of \(customer.id): \(error.message)")
        }
        return Draft(
            lines: identity.lines(made, ahead.makesDocuments),
            isPriced: account.isPriced(in: frame.period))
    }

    func account(
        of customer: CompiledCustomer, _ frame: MonthFrame, in snapshot: CatalogSnapshot,
        _ ahead: ReadAhead
    ) throws(BillingError) -> FeeAccount? {
        guard let known = ahead.account else {
            return try fees.account(of: customer, snapshot, frame.zone)
        }
        var account = try known.get()
        account?.zone = frame.zone
        return account
    }

    /// Usage of quota periods that hold `instant`, as far as they have gone by: not due yet.
    func running(
        of customer: CompiledCustomer, _ frame: MonthFrame, at instant: Timestamp,
        in snapshot: CatalogSnapshot, _ ahead: ReadAhead = ReadAhead()
    ) throws(BillingError) -> [StatementLine] {
        guard customer.isBilled else { return [] }
        let charges = UsageCharges(sources, snapshot, customer, frame, ahead.usage)
        return LineIdentity(customer: customer.id, month: frame.month)
            .lines(try lines(of: try charges.running(at: instant)), ahead.makesDocuments)
    }

    private func lines(of charges: [UsageCharge]) throws(BillingError) -> [LineDraft] {
        var made: [LineDraft] = []
        for charge in charges {
            do throws(RatingError) {
                made += try UsageRating.lines(charge).map { line in
                    LineDraft(rated: line, span: line.kind == .usage ? charge.span(of: line) : nil)
                }
            } catch {
                throw BillingError(
                    .unrateable,
                    "\(charge.feature) from \(charge.period.start.rfc3339()): \(error.message)")
            }
        }
        return made
    }
}

extension UsageCharge {
    /// What a line of usage is for: one span, or neighbours that cost the same, as one.
    func span(of line: RatedLine) -> UsageSpan? {
        guard let first = spans.first(where: { $0.from == line.from }),
            var whole = spans.last(where: { $0.to == line.to })
        else { return nil }
        whole.from = first.from
        whole.before = first.before
        return whole
    }
}

extension CompiledCustomer {
    /// Only production is billed, and only customers of their own: a twin's id is its customer's
    /// with the environment behind it.
    var isBilled: Bool { environment.isBillable && !isRemoved }
}

extension FeeAccount {
    /// Whether a subscription to a plan with a currency is in force at some time of a window.
    func isPriced(in window: Period) -> Bool {
        contract.subscriptions.contains { subscription in
            let steps = subscription.terms.steps
            return steps.indices.contains { index in
                guard let terms = steps[index].value else { return false }
                let until = index + 1 < steps.count ? steps[index + 1].from : .distantFuture
                let from = max(terms.start, steps[index].from)
                return from < window.end && window.start < min(terms.end ?? .distantFuture, until)
                    && plan(terms.plan, terms.planVersion)?.currency != nil
            }
        }
    }
}
