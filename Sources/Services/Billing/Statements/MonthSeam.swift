import Entitlements
import MeteringModel
import MeteringPorts

/// The border between two months of one customer that are billed in different zones.
///
/// What one side bills of a rule's usage ends where the other side's begins, so that no hour
/// between the two zones' midnights is billed twice or not at all.
struct MonthSeam: Sendable {
    /// Where the statements meet.
    private let at: Timestamp
    /// The zone whose month ends or begins just there.
    private let zone: TimeZoneRules

    /// - Parameter month: the earlier of the two.
    init(
        at: Timestamp, _ month: BillingMonth, earlier: TimeZoneRules, later: TimeZoneRules
    ) {
        self.at = at
        zone = month.period(zone: earlier).end == at ? earlier : later
    }

    /// The end of the last period of a rule that the earlier side bills.
    func border(_ rule: PeriodRule) -> Timestamp {
        rule.period(containing: at, zone: zone).start
    }
}

extension BillingSources {
    /// Whether a closed month next to `month`, or `month` itself, is billed in another zone than the
    /// customer's of now: then what is used around its borders bears on both sides.
    func hasSeam(
        near month: BillingMonth, of customer: CompiledCustomer
    ) throws(BillingError) -> Bool {
        let store = store
        return try BillingError.store { () throws(BillingStoreError) in
            for near in [month.previous, month, month.next] {
                let statement = try store.statement(customer.id, near)
                if let statement, statement.zone != customer.zone.name { return true }
            }
            return false
        }
    }
}
