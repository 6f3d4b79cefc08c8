internal import MeteringModel
internal import MeteringPorts

/// Holds a key that is bound to a customer to that customer and those below it. Every other key may
/// name anybody: a gateway asserts the subjects of all customers.
struct TreeGuard: Sendable {
    let access: any AccessControl

    func allows(_ customer: CustomerID, to principal: Principal) -> Bool {
        guard let root = principal.customer else { return true }
        return customer == root || access.isInTree(customer, of: root)
    }

    /// A subject that nobody owns is nobody's of the tree.
    func allows(_ subject: SubjectID, to principal: Principal) -> Bool {
        if principal.customer == nil { return true }
        guard let owner = access.owner(of: subject) else { return false }
        return allows(owner, to: principal)
    }

    func allows(_ party: EntitlementQuestion.Party, to principal: Principal) -> Bool {
        switch party {
        case .customer(let customer): allows(customer, to: principal)
        case .subject(let subject): allows(subject, to: principal)
        }
    }

    func check(_ party: EntitlementQuestion.Party, _ principal: Principal) throws(Problem) {
        if !allows(party, to: principal) { throw .wrongCustomer }
    }

    func check(_ customer: CustomerID, _ principal: Principal) throws(Problem) {
        if !allows(customer, to: principal) { throw .wrongCustomer }
    }
}
