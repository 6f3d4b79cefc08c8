import Entitlements
import Forecasting
import MeteringModel
import MeteringPorts

/// Computes one customer's signals from the ledger.
struct SignalComputer: Sendable {
    let sources: SignalSources

    /// Sorted by id; none for customers that are gone or not production's.
    /// - Throws: a ledger or control store that cannot be read.
    func signals(of customer: CustomerID) throws(ControlProblem) -> [Signal] {
        let snapshot = sources.catalog.load()
        guard let number = snapshot.customerIndex(customer) else { return [] }
        let now = sources.clock.now()
        var found: [Signal]
        let facts: CustomerFacts
        do throws(LedgerError) {
            guard
                let read = try CustomerFacts(
                    snapshot.customer(number), snapshot, now: now, sources)
            else { return [] }
            facts = read
            found = facts.signals
            found += try AnomalyRule(queries: sources.queries).signals(facts)
        } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
        let isComparable = CostRule.isWorthwhile(facts)
        if found.isEmpty, !isComparable { return [] }
        let contract = try sources.contracts.contract(of: customer, snapshot.definitions)
        let profile = contract?.profile.value(at: now)
        if isComparable, let contract,
            let signal = CostRule.signal(facts, contract, snapshot.definitions)
        {
            found.append(signal)
        }
        for index in found.indices {
            found[index].context.name = profile?.name
            found[index].context.owner = profile?.owner
        }
        return found.sorted { $0.id < $1.id }
    }
}
