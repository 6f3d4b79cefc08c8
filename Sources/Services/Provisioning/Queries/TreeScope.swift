import Entitlements
import MeteringModel
import MeteringPorts

/// What a caller may see and name that is bound to a customer: that customer and all below it.
struct TreeScope {
    /// Customers of a tree that a list goes through.
    private static let customersMax = 10_000

    let engine: ControlEngine

    /// Whether a customer belongs to the tree of another, now.
    func isInTree(_ customer: CustomerID, of root: CustomerID) -> Bool {
        let snapshot = engine.current.load()
        guard let number = snapshot.customerIndex(customer), !snapshot.customer(number).isRemoved
        else { return false }
        var isFound = false
        snapshot.lineage(of: number, at: engine.clock.now()) { ancestor, _ in
            if ancestor.id == root { isFound = true }
        }
        return isFound
    }

    func mayName(_ customer: CustomerID, _ principal: Principal) -> Bool {
        guard let root = principal.customer else { return true }
        return isInTree(customer, of: root)
    }

    func mayRead(_ record: RecordHistory, _ principal: Principal) -> Bool {
        guard principal.customer != nil, !record.kind.isCatalog else { return true }
        return record.customer.map { mayName($0, principal) } ?? false
    }

    /// - Throws: `outside_tree` for a customer that is not the caller's, whether it exists or not.
    func require(_ customer: CustomerID, _ principal: Principal) throws(ControlProblem) {
        if mayName(customer, principal) { return }
        throw Self.refusal
    }

    /// - Throws: `outside_tree` for a caller that is bound to a customer.
    func requireUnbound(_ principal: Principal) throws(ControlProblem) {
        if principal.customer != nil { throw Self.refusal }
    }

    static let refusal = ControlProblem(
        .forbidden, "outside_tree",
        "this key is bound to a customer, and may name that customer and those below it only")

    /// A customer and all below it.
    func customers(below root: CustomerID) throws(ControlProblem) -> [CustomerID] {
        var customers = [root]
        var next = 0
        while next < customers.count, customers.count < Self.customersMax {
            do throws(ControlStoreError) {
                customers += try engine.store.children(of: customers[next])
            } catch {
                throw .store(error)
            }
            next += 1
        }
        return customers
    }
}
