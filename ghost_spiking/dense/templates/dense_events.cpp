{% extends 'common_group.cpp' %}
{% macro _array(name) %}{{get_array_name(variables[name])}}{% endmacro %}
{% macro _line(name) %}{{get_array_name(variables[name], access_data=False)}}{% endmacro %}
{% macro _place(side, value) %}
{% if '_own_' + side in used %}
const size_t _own_{{side}} = {{value}};
{% endif %}
{% if '_unit_' + side in used %}
const size_t _unit_{{side}} = {{value}}{{' + %d' % start[side] if start[side]}};
{% endif %}
{% endmacro %}
{% block extra_headers %}
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>
{% endblock %}

{% block maincode %}
{% if waiting %}
    static std::vector<int32_t> _spikes;
    _spikes.clear();
    {
        std::vector<int32_t>& _due = {{_line(waiting[0])}};
        std::vector<int32_t>& _waiting = {{_line(waiting[1])}};
        const int32_t _now = {{_array('_timestep')}}[0];
        const int32_t _delay = (int32_t)({{_array('delay')}}[0] / {{_array('dt')}}[0] + 0.5);
        const bool _at_once = _delay == 0 && _due.empty();
        const int32_t _n_events = {{_array('_events')}}[{{n_source}}];
        for (int32_t _event = 0; _event < _n_events; _event++)
        {
            const int32_t _neuron = {{_array('_events')}}[_event];
            {% if bounds[0] > 0 or bounds[1] < n_source %}
            if (_neuron < {{bounds[0]}} || _neuron >= {{bounds[1]}})
                continue;
            {% endif %}
            if (_at_once)
                _spikes.push_back(_neuron - {{bounds[0]}});
            else
            {
                // others may be due later, if the delay was longer
                const auto _place = std::upper_bound(_due.begin(), _due.end(), _now + _delay);
                _waiting.insert(_waiting.begin() + (_place - _due.begin()), _neuron - {{bounds[0]}});
                _due.insert(_place, _now + _delay);
            }
        }
        const size_t _arrived = std::upper_bound(_due.begin(), _due.end(), _now) - _due.begin();
        if (_arrived)
        {
            _spikes.insert(_spikes.end(), _waiting.begin(), _waiting.begin() + _arrived);
            _due.erase(_due.begin(), _due.begin() + _arrived);
            _waiting.erase(_waiting.begin(), _waiting.begin() + _arrived);
        }
    }
    if (!_spikes.empty())
    {
{% else %}
    // not at spikes, but for all
    {% if guards %}
    const size_t _vectorisation_idx = -1;
    {{scalar_code['scalars']|autoindent}}
    {{vector_code['scalars']|autoindent}}
    {% endif %}
    if ({% for name in guards %}{{name}} != 0{{' || ' if not loop.last}}{% else %}true{% endfor %})
    {
{% endif %}
    {% for kind, block in steps %}
    {
        const size_t _vectorisation_idx = -1;
        {{scalar_code[block]|autoindent}}
        {% if kind == 'synaptic' %}
        {% if waiting %}
        for (const int32_t _spike : _spikes)
        {% else %}
        for (size_t _spike = 0; _spike < {{size[own]}}; _spike++)
        {% endif %}
        {
            const size_t _row = _spike / {{n[own]}}, _unit = _spike % {{n[own]}};
            {{_place(own, '_spike')|autoindent}}
            {% if 'i' in used and own == 'pre' %}
            const int32_t i = _unit;
            {% endif %}
            {% if 'j' in used and own == 'post' %}
            const int32_t j = _unit;
            {% endif %}
            for (size_t _other = 0; _other < {{n[other]}}; _other++)
            {
                {% if own == 'pre' %}
                const size_t _idx = _unit * {{n.post}} + _other;
                {% else %}
                const size_t _idx = _other * {{n.post}} + _unit;
                {% endif %}
                {% if mask %}
                if ({{_array(mask)}}[_idx] == 0)
                    continue;
                {% endif %}
                {% if '_stored' in used %}
                const size_t _stored = {{'_other * %d + _unit' % n.pre if own == 'pre' else '_unit * %d + _other' % n.pre}};
                {% endif %}
                {{_place(other, '_row * %d + _other' % n[other])|autoindent}}
                {% if 'i' in used and own == 'post' %}
                const int32_t i = _other;
                {% endif %}
                {% if 'j' in used and own == 'pre' %}
                const int32_t j = _other;
                {% endif %}
                const size_t _vectorisation_idx = _idx;
                {{vector_code[block]|autoindent}}
            }
        }
        {% else %}
        {% set side = own if kind == 'spiking' else kind %}
        {% if kind == 'spiking' %}
        for (const int32_t _spike : _spikes)
        {% else %}
        for (size_t _spike = 0; _spike < {{size[side]}}; _spike++)
        {% endif %}
        {
            {{_place(side, '_spike')|autoindent}}
            const size_t _vectorisation_idx = _spike;
            {{vector_code[block]|autoindent}}
        }
        {% endif %}
    }
    {% endfor %}
    {% if solves %}
    {{_array(last)}}[0] = {{constant_or_scalar('t', variables['t'])}};
    {% endif %}
    }
{% endblock %}
