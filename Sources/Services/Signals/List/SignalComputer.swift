import Entitlements
import Forecasting
import MeteringModel
import MeteringPorts

/// Computes signals from the ledger.
struct SignalComputer: Sendable {
    let sources: SignalSources

    /// One result for each customer, in their order: its signals, sorted by id; none for customers
    /// that are gone or not production's. What they are computed from is read together.
    func signals(of customers: [CustomerID]) -> [Result<[Signal], ControlProblem>] {
        let snapshot = sources.catalog.load()
        let (now, settings) = (sources.clock.now(), sources.settings)
        let scopes = customers.map { id in
            snapshot.customerIndex(id).flatMap {
                FactScope(snapshot.customer($0), now: now, settings)
            }
        }
        let usage: FactUsage
        do throws(LedgerError) {
            usage = try FactUsage(scopes.compactMap(\.self), sources)
        } catch {
            let problem = ControlProblem(.unavailable, "unavailable", error.message)
            return customers.map { _ in .failure(problem) }
        }
        let reader = sources.contracts.reader(snapshot.definitions)
        return scopes.map { scope in
            guard let scope else { return .success([]) }
            do throws(ControlProblem) {
                return .success(
                    try signals(CustomerFacts(scope, snapshot, usage, sources), snapshot, reader))
            } catch {
                return .failure(error)
            }
        }
    }

    private func signals(
        _ facts: CustomerFacts, _ snapshot: CatalogSnapshot, _ reader: ContractReader
    ) throws(ControlProblem) -> [Signal] {
        var found = facts.signals
        do throws(LedgerError) {
            found += try AnomalyRule(queries: sources.queries).signals(facts)
        } catch {
            throw ControlProblem(.unavailable, "unavailable", error.message)
        }
        let isComparable = CostRule.isWorthwhile(facts, snapshot.definitions)
        if found.isEmpty, !isComparable { return [] }
        let contract = try sources.contracts.contract(of: facts.id, reader)
        let profile = contract?.profile.value(at: facts.now)
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
