internal import MeteringPorts

/// The operator's port: is the process alive, can it answer, what has it counted?
struct AdminRoutes: Sendable {
    let operations: any OperationsStatus
    let isDraining: @Sendable () -> Bool
    let edgeMetrics: @Sendable () -> String

    /// Alive, whatever else is broken.
    func health(_ request: Request, _ writer: inout JSONWriter) -> AnswerHead {
        writer.object { writer in
            writer.member("\"status\":", "ok")
        }
        return .ok
    }

    /// 200 when requests can be answered, else 503 with the reasons.
    func readiness(_ request: Request) async -> Answer {
        var reasons = operations.notReadyReasons()
        if isDraining() { reasons.insert("draining: the process is shutting down", at: 0) }
        let details = operations.details()
        return .json(status: reasons.isEmpty ? 200 : 503) { writer in
            writer.object { writer in
                writer.member("\"status\":", reasons.isEmpty ? "ready" : "not_ready")
                writer.member("\"reasons\":", reasons)
                writer.name("\"details\":")
                writer.object { writer in
                    for (name, value) in details {
                        writer.name(text: name)
                        writer.value(value)
                    }
                }
            }
        }
    }

    func metrics(_ request: Request) async -> Answer {
        var text = operations.metricsText()
        if !text.isEmpty, !text.hasSuffix("\n") { text += "\n" }
        text += edgeMetrics()
        let head = AnswerHead(
            status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8")
        return Answer(head: head, body: Array(text.utf8))
    }
}
