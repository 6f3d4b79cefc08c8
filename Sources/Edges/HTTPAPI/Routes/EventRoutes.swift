internal import MeteringModel
internal import MeteringPorts
internal import NIOCore
internal import NIOHTTP1

/// `POST /v1/events`: CloudEvents in, an answer once they are durable.
///
/// Order of effects: 1. split and check every event, 2. hand the accepted ones to the log together,
/// 3. answer. A client that gets no answer, or 503, may send the same events again: their ids make
/// them count once.
struct EventRoutes: Sendable {
    let ingest: any EventIngest
    let options: HTTPOptions
    let trees: TreeGuard

    init(_ services: HTTPServices, _ options: HTTPOptions) {
        ingest = services.ingest
        self.options = options
        trees = TreeGuard(access: services.access)
    }

    func post(_ request: Request) async throws(Problem) -> Answer {
        let allowsBackfill = try Query(request.query).flag("backfill")
        let mode = try EventMode(request)
        let events: EventBatch
        do throws(BodyFailure) {
            events =
                switch mode {
                case .binary: try EventBatch(single: try BinaryEvent.structured(request))
                case .structured: try EventBatch(single: request.body)
                case .batch: try EventBatch(batch: request.body, countMax: options.batchCountMax)
                }
        } catch {
            throw Self.malformed(error)
        }
        if !events.isBatch, request.body.readableBytes > options.bodyBytesMax {
            throw RequestCheck.tooLarge(limit: options.bodyBytesMax)
        }
        return try await record(
            events, allowsBackfill: allowsBackfill, from: request.principal)
    }

    private func record(
        _ events: EventBatch, allowsBackfill: Bool, from principal: Principal
    ) async throws(Problem) -> Answer {
        var accepted: [AcceptedEvent] = []
        accepted.reserveCapacity(events.elements.count)
        var rejected: [(index: Int, problem: EventProblem)] = []
        for (index, element) in events.elements.enumerated() {
            switch element {
            case .notAnObject:
                let detail = "an event must be a JSON object"
                rejected.append((index, EventProblem(code: "malformed", detail: detail)))
            case .event(let event):
                let json = events.json(of: event, marksBackfill: allowsBackfill)
                // SAFETY: bytes have no padding; the span is read while `json` is alive.
                let bytes = unsafe json.span.bytes
                if let problem = ingest.problem(with: bytes, allowsBackfill: allowsBackfill) {
                    rejected.append((index, problem))
                } else if !isOwn(event, principal) {
                    rejected.append((index, Self.wrongCustomer))
                } else {
                    accepted.append(AcceptedEvent(key: event.subject, json: json))
                }
            }
        }
        if !events.isBatch, let first = rejected.first {
            let isForeign = first.problem.code == Self.wrongCustomer.code
            throw Problem(
                status: isForeign ? 403 : 400, code: first.problem.code,
                detail: first.problem.detail)
        }
        if !accepted.isEmpty {
            do throws(EventLogError) {
                try await ingest.record(accepted)
            } catch {
                throw Problem(error)
            }
        }
        return Self.verdict(accepted: accepted.count, rejected: rejected)
    }

    private static let wrongCustomer = EventProblem(
        code: Problem.wrongCustomer.code,
        detail: "this key is bound to a customer and the event's subject is not of its tree")

    /// Two subjects in one event are nobody's: readers of JSON differ in which one they take.
    private func isOwn(_ event: EventBatch.Event, _ principal: Principal) -> Bool {
        principal.customer == nil
            || event.subjectCount == 1
                && trees.allows(SubjectID(rawValue: event.subject), to: principal)
    }

    private static func verdict(
        accepted: Int, rejected: [(index: Int, problem: EventProblem)]
    ) -> Answer {
        .json(status: 202) { writer in
            writer.object { writer in
                writer.member("\"accepted\":", Int64(accepted))
                writer.name("\"rejected\":")
                writer.array(rejected) { writer, item in
                    writer.object { writer in
                        writer.member("\"index\":", Int64(item.index))
                        writer.member("\"code\":", item.problem.code)
                        writer.member("\"detail\":", item.problem.detail)
                    }
                }
            }
        }
    }

    /// Events have a code of their own for what is not JSON.
    private static func malformed(_ failure: BodyFailure) -> Problem {
        var problem = Problem(failure)
        if problem.status == 400 { problem.code = "malformed" }
        return problem
    }
}

/// How a request carries CloudEvents (HTTP protocol binding 1.0.2, plus plain JSON).
enum EventMode {
    case binary, structured, batch

    init(_ request: Request) throws(Problem) {
        let type = Self.mediaType(request.contentType)
        let isBinary = request.head.headers.contains { field in
            field.name.utf8.count > 3 && field.name.prefix(3).lowercased() == "ce-"
        }
        switch type {
        case "application/cloudevents-batch+json", "application/cloudevents-batch": self = .batch
        case "application/cloudevents+json", "application/cloudevents": self = .structured
        case _ where type.hasPrefix("application/cloudevents"):
            throw Self.unsupported("\(type) is not spoken here; send CloudEvents as JSON")
        case _ where isBinary: self = .binary
        case "application/json":
            let first = request.body.readableBytesView.first {
                $0 != 0x20 && $0 != 0x0A && $0 != 0x0D && $0 != 0x09
            }
            self = first == UInt8(ascii: "[") ? .batch : .structured
        default:
            throw Self.unsupported(
                "send application/cloudevents+json, application/cloudevents-batch+json, "
                    + "application/json, or ce- headers")
        }
    }

    private static func unsupported(_ detail: String) -> Problem {
        Problem(status: 415, code: "unsupported_media_type", detail: detail)
    }

    /// Lower case, without parameters.
    static func mediaType(_ contentType: String?) -> String {
        let head = (contentType ?? "").prefix { $0 != ";" }
        return String(head.filter { $0 != " " && $0 != "\t" }).lowercased()
    }
}
