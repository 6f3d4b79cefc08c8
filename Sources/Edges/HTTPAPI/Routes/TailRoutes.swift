internal import MeteringPorts

/// Records as the pipeline reads them, for `events tail`.
struct TailRoutes: Sendable {
    let tail: (any EventTailing)?

    init(_ services: HTTPServices) { tail = services.tail }

    /// `?after=CURSOR&limit=N`; without a cursor the answer is empty and names the place from which
    /// the next call goes on.
    func list(_ request: Request) async throws(Problem) -> Answer {
        let query = try Query(request.query)
        let limit = try query.integer("limit", in: 1...1_000, default: 100)
        let after = try query.integer("after", in: 0...Int.max, default: 0)
        var page: (events: [TailedEvent], next: Int64) = ([], 0)
        if let tail { page = tail.events(after: Int64(after), limit: limit) }
        let (events, next) = page
        return .json { writer in
            writer.object { writer in
                writer.name("\"events\":")
                writer.array(events) { writer, event in
                    writer.object { writer in
                        writer.member("\"partition\":", Int64(event.info.partition))
                        writer.member("\"offset\":", event.info.offset)
                        writer.name("\"appended_at\":")
                        writer.time(event.info.appendedAt)
                        DeadLetterRoutes.write(payload: event.payload, to: &writer)
                    }
                }
                writer.member("\"next\":", next)
            }
        }
    }
}
