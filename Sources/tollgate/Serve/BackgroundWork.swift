import Enforcement
import Logging
import Metering
import MeteringPorts
import Provisioning
import SQLCatalog
import Signals

/// What happens by the clock rather than by request.
enum BackgroundWork {
    static func start(
        control: ControlParts, following: ContractFollowing, gate: QuotaGate,
        shared: SharedCounterSync?, recorder: EventRecorder, alerts: AlertingParts,
        signals: SignalParts, logger: Logger
    ) -> [Task<Void, Never>] {
        var tasks = [
            Task {
                while !Task.isCancelled {
                    await gate.expireReservations()
                    try? await Task.sleep(for: .seconds(1))
                }
            },
            Task { await signals.signals.run() },
            Task { await control.engine.follow() },
            Task {
                await control.engine.watchBoundaries { await following.boundaryPassed($0, $1) }
            },
            Task {
                while !Task.isCancelled {
                    do throws(ControlStoreError) {
                        try control.store.prune(now: control.engine.clock.now())
                    } catch {
                        logger.warning("old answers stay: \(error.message)")
                    }
                    try? await Task.sleep(for: .seconds(600))
                }
            },
        ]
        if let shared {
            tasks.append(
                Task {
                    while !Task.isCancelled {
                        await shared.probe()
                        try? await Task.sleep(for: .seconds(1))
                    }
                })
        }
        return tasks + alerts.start()
    }
}
