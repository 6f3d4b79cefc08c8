import Entitlements
import MeteringModel
import MeteringPorts

/// Which months are closed, as of one moment.
struct ClosedMonths: Sendable {
    let zones: ZoneBook
    /// No month before this one is billed; nil while that is not known: none is closed then.
    let floor: BillingMonth?
    let now: Timestamp

    /// A customer's closed months, or ones being closed, from `first` on; ascending.
    /// - Parameters:
    ///   - first: nil: from the first that is billed.
    ///   - hasStatement: asked about months that are open for others.
    func months(
        of customer: CompiledCustomer, from first: BillingMonth?,
        hasStatement: (BillingMonth) throws(BillingError) -> Bool
    ) throws(BillingError) -> [BillingMonth] {
        guard let floor else { return [] }
        var end = BillingMonth(containing: now, zone: customer.zone)
        if let zone = zones.zones[customer.zone.name] {
            // A clock that was ahead and has been put back has closed months that go on.
            end = max(end, zone.closedThrough.next, (zone.closing ?? zone.closedThrough).next)
        }
        var month = max(floor, first ?? floor)
        var months: [BillingMonth] = []
        while month < end {
            if zones.isClosed(customer.zone.name, month) {
                months.append(month)
            } else if try hasStatement(month) {
                months.append(month)
            }
            month = month.next
        }
        return months
    }
}

extension BillingEngine {
    var closedSoFar: ClosedMonths {
        ClosedMonths(zones: zones, floor: floor, now: sources.clock.now())
    }
}
