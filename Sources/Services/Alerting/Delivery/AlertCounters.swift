import Synchronization

/// What deliveries came to, since the start of the process.
package final class AlertCounters: Sendable {
    package enum Result: String, Sendable, CaseIterable {
        case delivered, retried, failed, disabled
    }

    private let delivered = Atomic<Int>(0)
    private let retried = Atomic<Int>(0)
    private let failed = Atomic<Int>(0)
    private let disabled = Atomic<Int>(0)

    package init() {}

    // Relaxed: counts publish nothing but themselves.

    func count(_ result: Result) {
        switch result {
        case .delivered: delivered.add(1, ordering: .relaxed)
        case .retried: retried.add(1, ordering: .relaxed)
        case .failed: failed.add(1, ordering: .relaxed)
        case .disabled: disabled.add(1, ordering: .relaxed)
        }
    }

    package func value(_ result: Result) -> Int {
        switch result {
        case .delivered: delivered.load(ordering: .relaxed)
        case .retried: retried.load(ordering: .relaxed)
        case .failed: failed.load(ordering: .relaxed)
        case .disabled: disabled.load(ordering: .relaxed)
        }
    }
}
