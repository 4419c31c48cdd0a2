// SPDX-License-Identifier: AGPL-3.0-or-later
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";

/// A till gives every order an address of its own and sends what is paid there to its owner, who is fixed for ever.
/// Nobody has a key to any of these addresses, and whoever pays for the gas may sweep them.
contract Till {
    /// Who gets everything.
    address public immutable owner;

    event Swept(bytes32 indexed order, address indexed token, uint256 amount);

    constructor(address owner_) {
        require(owner_ != address(0), "a till needs an owner");
        owner = owner_;
    }

    /// The address that an order is paid to. It can be paid before anything is there.
    function addressOf(bytes32 order) public view returns (address) {
        return address(uint160(uint256(keccak256(
            abi.encodePacked(bytes1(0xff), address(this), order, keccak256(type(Slot).creationCode))
        ))));
    }

    /// Sends an order's balance of a token to the owner.
    function sweep(bytes32 order, IERC20 token) public {
        Slot slot = Slot(addressOf(order));
        if (address(slot).code.length == 0) {
            new Slot{salt: order}();
        }
        emit Swept(order, address(token), slot.empty(token, owner));
    }

    /// Sweeps many orders at once.
    function sweepAll(bytes32[] calldata orders, IERC20 token) external {
        for (uint256 i = 0; i < orders.length; i++) {
            sweep(orders[i], token);
        }
    }
}

/// The address of one order. It obeys its till alone. Its code names no owner, so that its address follows from the till
/// and the order.
contract Slot {
    address private immutable till = msg.sender;

    function empty(IERC20 token, address to) external returns (uint256 amount) {
        require(msg.sender == till, "only the till");
        amount = token.balanceOf(address(this));
        SafeERC20.safeTransfer(token, to, amount);
    }
}
