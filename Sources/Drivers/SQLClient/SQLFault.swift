/// What an error means for whoever keeps a database of its own, with what to do about it.
package struct SQLFault: Sendable {
    /// Named as the codes of the stores' errors are.
    package enum Kind: String, Sendable, CaseIterable {
        case full, busy, corrupt, unavailable, misconfigured
    }
    package var kind: Kind
    package var message: String
    package var isRetriable: Bool

    /// - Parameters:
    ///   - owner: who is told, at the beginning of a sentence: `Billing`.
    ///   - file: the database's name: `billing.db`.
    ///   - remedy: of a damaged file; the default is for one that nothing rebuilds.
    package init(
        _ error: SQLError, owner: String, file: String, remedy: String = "restore it from a backup"
    ) {
        let advice: String
        switch error.code {
        case .full:
            (kind, isRetriable) = (.full, true)
            advice = "\(owner) has no room: free disk space; nothing was changed."
        case .busy:
            (kind, isRetriable) = (.busy, true)
            if error.sql == nil {
                // The directory's lock: its message names the holder and says what to do.
                message = error.message
                return
            }
            advice = "Another process holds \(file): stop it."
        case .corrupt:
            (kind, isRetriable) = (.corrupt, false)
            advice = "\(file) is damaged: \(remedy)."
        case .constraint, .outOfRange:
            (kind, isRetriable) = (.corrupt, false)
            advice = "A row broke a rule of \(file)'s schema; please report this as a bug."
        case .ioError:
            (kind, isRetriable) = (.unavailable, true)
            advice = "The disk of \(file) failed; look at the system's log."
        case .cannotOpen:
            (kind, isRetriable) = (.unavailable, false)
            advice = "Check that the data directory exists and may be written."
        case .readOnly:
            (kind, isRetriable) = (.misconfigured, false)
            advice = "\(file) cannot be written as it is."
        case .closed:
            (kind, isRetriable) = (.unavailable, false)
            message = error.message
            return
        case .misuse, .other:
            (kind, isRetriable) = (.unavailable, false)
            advice = "\(file) refused the call."
        }
        message = "\(advice) \(error)"
    }
}
