import Foundation

/// What every answer says of the cluster.
struct AnswerHeader: Decodable, Sendable {
    /// 0 in answers that have no header.
    var cluster: UInt64 = 0
    var member: UInt64 = 0
    var revision: Int64 = 0

    init() {}

    init(from decoder: any Decoder) throws {
        let fields = try LenientFields(decoder)
        cluster = try fields.unsigned("cluster_id")
        member = try fields.unsigned("member_id")
        revision = try fields.integer("revision")
    }
}

/// An answer of a call that has not failed.
protocol Answer: Decodable, Sendable {
    var header: AnswerHeader { get }
}

extension LenientFields {
    func header() throws -> AnswerHeader { try value("header") ?? AnswerHeader() }
}

enum WireAnswer {
    struct Range: Answer {
        let header: AnswerHeader
        let page: EtcdPage

        init(from decoder: any Decoder) throws {
            header = try LenientFields(decoder).header()
            page = try EtcdPage(from: decoder)
        }
    }

    struct Transaction: Answer {
        private struct Response: Decodable {
            let page: EtcdPage?

            init(from decoder: any Decoder) throws { page = try LenientFields(decoder).value("response_range") }
        }

        let header: AnswerHeader
        let succeeded: Bool
        let found: [EtcdPage]

        init(from decoder: any Decoder) throws {
            let fields = try LenientFields(decoder)
            header = try fields.header()
            succeeded = try fields.flag("succeeded")
            let responses: [Response] = try fields.list("responses")
            found = responses.compactMap(\.page)
        }
    }

    /// An answer of which the header alone is wanted.
    struct Plain: Answer {
        let header: AnswerHeader

        init(from decoder: any Decoder) throws { header = try LenientFields(decoder).header() }
    }

    struct Lease: Answer {
        let header: AnswerHeader
        let id: Int64
        /// Seconds; 0, which is to say absent, when the lease is gone.
        let ttl: Int64

        init(from decoder: any Decoder) throws {
            let fields = try LenientFields(decoder)
            header = try fields.header()
            id = try fields.integer("ID")
            ttl = try fields.integer("TTL")
        }
    }

    /// One line of a streamed answer.
    struct KeepAlive: Answer {
        let lease: Lease?
        var header: AnswerHeader { lease?.header ?? AnswerHeader() }

        init(from decoder: any Decoder) throws { lease = try LenientFields(decoder).value("result") }
    }

    struct Authentication: Answer {
        let header: AnswerHeader
        let token: String

        init(from decoder: any Decoder) throws {
            let fields = try LenientFields(decoder)
            header = try fields.header()
            token = try fields.text("token")
        }
    }

    struct Status: Answer {
        let header: AnswerHeader
        let version: String
        let leader: UInt64
        let size: Int64

        init(from decoder: any Decoder) throws {
            let fields = try LenientFields(decoder)
            header = try fields.header()
            version = try fields.text("version")
            leader = try fields.unsigned("leader")
            size = try fields.integer("dbSize")
        }
    }

    struct Alarms: Answer {
        let header: AnswerHeader
        let alarms: [EtcdAlarm]

        init(from decoder: any Decoder) throws {
            let fields = try LenientFields(decoder)
            header = try fields.header()
            alarms = try fields.list("alarms")
        }
    }

    struct Members: Answer {
        let header: AnswerHeader
        let members: [EtcdMember]

        init(from decoder: any Decoder) throws {
            let fields = try LenientFields(decoder)
            header = try fields.header()
            members = try fields.list("members")
        }
    }

    struct Version: Decodable {
        let server: String

        init(from decoder: any Decoder) throws { server = try LenientFields(decoder).text("etcdserver") }
    }

    /// What failed, by the code of gRPC: `error` and `code` before etcd 3.6, `message` and `code` since, and in a stream an
    /// object under `error`.
    struct Fault: Decodable {
        let code: Int
        let text: String

        init?(_ body: [UInt8]) {
            guard let fault = try? JSONDecoder().decode(Fault.self, from: Data(body)) else { return nil }
            self = fault
        }

        init(from decoder: any Decoder) throws {
            let fields = try LenientFields(decoder)
            if let inner: Fault = try? fields.value("error") {
                self = inner
                return
            }
            guard fields.has("code") || fields.has("grpc_code") else {
                throw DecodingError.dataCorrupted(.init(codingPath: [], debugDescription: "no code"))
            }
            code = Int(try fields.integer(fields.has("code") ? "code" : "grpc_code"))
            let message = try fields.text("message")
            let text = message.isEmpty ? (try? fields.text("error")) ?? "" : message
            self.text = text.split(whereSeparator: \.isNewline).joined(separator: " ")
        }
    }
}

/// What a member has raised.
public struct EtcdAlarm: Hashable, Sendable, Decodable {
    public let member: UInt64
    /// `NOSPACE`, `CORRUPT`, or whatever a later release has.
    public let kind: String

    public init(from decoder: any Decoder) throws {
        let fields = try LenientFields(decoder)
        member = try fields.unsigned("memberID")
        kind = try fields.text("alarm")
    }
}

/// A member as the cluster knows it.
public struct EtcdMember: Hashable, Sendable, Decodable {
    public let id: UInt64
    public let name: String
    public let clientURLs: [String]

    public init(from decoder: any Decoder) throws {
        let fields = try LenientFields(decoder)
        id = try fields.unsigned("ID")
        name = try fields.text("name")
        clientURLs = try fields.list("clientURLs")
    }
}
