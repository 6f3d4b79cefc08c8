import Entitlements
import MeteringModel
import MeteringPorts

/// What the billing store has around one month of some customers, read together.
struct MonthReading {
    let month: BillingMonth
    private let sources: BillingSources
    private let statements: [CustomerID: [ClosedStatement]]
    private let pending: [CustomerID: [StatementLine]]

    init(
        _ customers: [CompiledCustomer], _ month: BillingMonth, _ sources: BillingSources
    ) throws(BillingError) {
        self.month = month
        self.sources = sources
        let (store, ids) = (sources.store, customers.map(\.id))
        (statements, pending) = try BillingError.store { () throws(BillingStoreError) in
            (
                try store.statements(of: ids, from: month.previous, through: month.next),
                try store.pendingLines(of: ids)
            )
        }
    }

    func frame(
        of customer: CompiledCustomer
    ) -> (frame: MonthFrame, closed: ClosedStatement?) {
        sources.frame(of: customer, month, among: statements[customer.id] ?? [])
    }

    /// That of the month before.
    func previous(_ customer: CustomerID) -> ClosedStatement? {
        statements[customer]?.first { $0.month == month.previous }
    }

    func pendingLines(_ customer: CustomerID) -> [StatementLine] { pending[customer] ?? [] }
}
