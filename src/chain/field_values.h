// How the fields of chain/fields.h are read from a row: one function each, named like its field.
#pragma once

#include "chain/fields.h"

namespace hopscope::chain::field {

using Getter = void(const Row& row, Timestamp now, ValueSink& sink);

Getter op, proto, state, session, chain, hop, grade;
Getter latency, setup, duration, age, since, end;
Getter exit, status, reason, message;
Getter bytes, bytes_in, bytes_out;
Getter stream_type, stream_id, stream_port, stream_request_id, stream_state, stream_frames, stream_error, streams,
    resizes;
Getter token, args;
Getter severity, code, says;
Getter name_space, pod, container, uid, container_id, runtime;
Getter process_comm, process_pid;
Getter role, component, sure, reach, seen, transport, socket_path, exe, peer_comm, title, why;
Getter peer_address, peer_port, local_address, local_port, port, frame;
Getter request_method, request_path, request_status, refusal, subprotocol;
Getter gaps, missing, complete, tty, tls;
Getter user_agent, kubectl_session, kubectl_command, forwarded_for;

}  // namespace hopscope::chain::field
