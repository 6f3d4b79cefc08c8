import Alerting
import Enforcement
import KafkaEventLog
import Logging
import Metering
import MeteringPorts

/// What happens by the clock rather than by request.
enum BackgroundWork {
    static func start(
        gate: QuotaGate, shared: SharedCounterSync?, recorder: EventRecorder,
        control: any LedgerControl, log: EventLogParts, alertsTopic: String, logger: Logger
    ) -> [Task<Void, Never>] {
        var tasks = [
            Task {
                while !Task.isCancelled {
                    await gate.expireReservations()
                    try? await Task.sleep(for: .seconds(1))
                }
            }
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
        if let producer = log.alerts {
            let dispatcher = CrossingDispatcher(
                control: control, sink: KafkaCrossingSink(producer: producer), logger: logger)
            tasks.append(Task { await dispatcher.run() })
        }
        return tasks
    }
}
