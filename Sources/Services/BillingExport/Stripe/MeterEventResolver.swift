package import MeteringModel
package import MeteringPorts

/// Settles by hand what Stripe may have or not, or would not take.
package struct MeterEventResolver: Sendable {
    private let store: any ExportStore
    private let identifier: MeterEventIdentifier

    package init(store: any ExportStore, identifier: MeterEventIdentifier) {
        self.store = store
        self.identifier = identifier
    }

    /// `sent`: Stripe has it, or it was billed in another way. `resend`: the same amount goes out
    /// again, as another revision under a new identifier. The same again changes nothing.
    /// - Returns: the event, or the one that took its place.
    @discardableResult
    package func resolve(
        _ name: String, _ verdict: MeterEventResolution.Verdict, by: String, reason: String,
        at instant: Timestamp
    ) throws(ControlProblem) -> StoredMeterEvent {
        let event = try find(name)
        if let past = event.resolution, past.verdict == verdict {
            return try find(event.replacedBy ?? name)
        }
        guard MeterEventResolution.states.contains(event.state) else {
            throw ControlProblem(
                .conflict, "not_resolvable",
                "\(name) is \(event.state.rawValue); only what is uncertain, refused or too old"
                    + " can be resolved")
        }
        let resolution = MeterEventResolution(
            verdict: verdict, by: by, reason: reason, at: instant)
        let replacement: MeterEventDraft?
        do throws(BillingStoreError) {
            replacement = verdict == .resend ? try self.replacement(of: event, at: instant) : nil
            try store.resolve(name, resolution, replacement: replacement)
        } catch {
            throw ControlProblem(error)
        }
        return try find(replacement?.identifier ?? name)
    }

    private func replacement(
        of event: StoredMeterEvent, at instant: Timestamp
    ) throws(BillingStoreError) -> MeterEventDraft {
        let old = event.draft
        let windows = try store.meterEventHistory(old.customer, old.meter, from: old.window.start)
            .windows
        let last = windows.first { $0.start == old.window.start }?.lastRevision ?? old.revision
        var draft = old
        draft.revision = last + 1
        draft.identifier = identifier.make(
            old.customer, old.meter, old.window.start, draft.revision)
        // Stripe would not take the usage's own time any more: whoever resends it wants it billed.
        draft.timestamp = event.state == .tooOld ? instant : nil
        return draft
    }

    private func find(_ name: String) throws(ControlProblem) -> StoredMeterEvent {
        do throws(BillingStoreError) {
            if let event = try store.meterEvent(name) { return event }
        } catch {
            throw ControlProblem(error)
        }
        throw ControlProblem(
            .notFound, "unknown_meter_event", "no meter event has the identifier \"\(name)\"")
    }
}

extension ControlProblem {
    init(_ error: BillingStoreError) {
        switch error.code {
        case .conflict: self.init(.conflict, "changed_meanwhile", error.message)
        case .full, .busy, .corrupt, .unavailable, .misconfigured:
            self.init(.unavailable, "billing_unavailable", error.message)
        }
    }
}
