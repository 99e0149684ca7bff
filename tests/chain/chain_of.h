// One chain of one session, completed by the book under test.
#pragma once

#include <memory>
#include <vector>

#include "chain/model.h"

namespace hopscope::chain::test {

template <class Book>
Chain chain_of(Book& book, const Session& session, const std::vector<std::unique_ptr<Session>>& all) {
    Chain chain;
    chain.op = session.op;
    chain.sessions = {session.number};
    chain.start = session.start;
    chain.end = session.end;
    book.complete(chain, all);
    return chain;
}

}  // namespace hopscope::chain::test
